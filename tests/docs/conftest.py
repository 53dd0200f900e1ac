"""The shop that the pages' commands are tried on."""

from tests.docs.running import running_shop

__all__ = ["running_shop"]
