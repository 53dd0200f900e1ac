"""Money to the minor unit, against a table that was worked out by hand."""
