"""From the bytes of records to additive counts: decode, columns, event times, frontier, fold."""
