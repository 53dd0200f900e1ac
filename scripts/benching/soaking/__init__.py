"""The soak: a load for long, and what every process holds meanwhile."""
