"""Tests of the standing audit: on a shop that runs, with faults planted by hand."""
