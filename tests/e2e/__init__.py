"""The whole shop, used as a stranger would use it."""

import pytest

pytest.register_assert_rewrite("tests.e2e.books", "tests.e2e.people", "tests.e2e.shops")
