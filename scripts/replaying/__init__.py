"""Delivering again, by command line: dead letters, a consumer's events, the stream."""
