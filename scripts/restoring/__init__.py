"""A copy of a whole shop at one point in time, and a shop made of such a copy."""
