"""Crowds of clients at one thing, and books that agree afterwards."""
