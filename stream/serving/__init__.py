"""What a worker shows: the metric catalogue, its exposition, HTTP pages, watchdogs."""
