"""Measurements: `python -m benchmarks` runs every group and writes ``build/bench.json``; each group also runs alone.

Every ratio is of things run side by side, in turns, on the same records. A target is the one that was stated before anything
was measured; a figure that misses it is shown as it is.
"""
