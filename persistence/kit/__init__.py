"""What all domains share of memory: one fenced transaction for a whole batch."""
