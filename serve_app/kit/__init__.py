"""The gateway: everything about HTTP that is the same for every domain."""
