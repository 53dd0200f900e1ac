"""Tests of users, on real databases, without Ray."""
