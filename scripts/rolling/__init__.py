"""A new process for every part of a running shop, one after another."""
