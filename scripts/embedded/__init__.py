"""The servers that a shop brings along: Postgres and NATS."""
