"""A crowd: thousands of open connections, and what a shop does meanwhile."""
