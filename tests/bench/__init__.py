"""Tests of the bench: its load client, its clock, its accounts."""
