"""The shop that the notebooks are run against."""

from tests.docs.running import running_shop

__all__ = ["running_shop"]
