"""Measurements. Every figure is a ratio of things run side by side, printed with the command that repeats it."""
