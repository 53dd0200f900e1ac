"""Tests of the audit: a shop that sold, and everything that can be wrong with it."""
