"""Doubles of the providers' APIs, written by hand after what their documents say."""
