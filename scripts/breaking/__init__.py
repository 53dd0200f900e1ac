"""The breaker: faults by a seed, load beside them, and what was promised checked."""
