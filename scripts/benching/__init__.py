"""The bench: scenes over HTTP beside a route that does nothing, and what they cost."""
