"""The configuration file: its shape, its errors, and the plan it is compiled to."""
