"""The audit: all databases, the bank and the stream, compared with each other."""
