"""Streamgauge beside other ways to watch the same records, each in an environment of its own: ``python -m benchmarks.peers``."""
