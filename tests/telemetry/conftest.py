"""A shop of toys whose process can be traced."""

from tests.kit.conftest import plain_logs, toy_databases, toys

__all__ = ["plain_logs", "toy_databases", "toys"]
