"""The audit of the whole shop: rows of all domains, checks, and who compares always."""
