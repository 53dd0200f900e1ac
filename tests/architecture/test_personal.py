"""No column comes unnoticed that may hold something of a person."""

import pytest
import sqlalchemy as sa

from actors import DOMAINS
from bus.users import UserErased
from persistence.kit.migrations import metadata_of
from tests.architecture.personal import HARMLESS, PERSONAL
from tests.kit.local import domain_class

PLAIN = (sa.Uuid, sa.Integer, sa.Boolean, sa.DateTime, sa.Date)


def speaking_columns(domain: str) -> set[str]:
    """The columns of a domain's database that can say something in words."""
    return {
        f"{table.name}.{column.name}"
        for table in metadata_of(domain).tables.values()
        for column in table.columns
        if not isinstance(column.type, PLAIN)
    }


@pytest.mark.parametrize("domain", DOMAINS)
def test_every_column_is_declared_to_be_of_a_person_or_not(domain: str) -> None:
    personal, harmless = PERSONAL[domain], HARMLESS[domain] | HARMLESS["*"]
    assert personal & harmless == set()
    assert speaking_columns(domain) == personal | harmless


@pytest.mark.parametrize("domain", DOMAINS)
def test_who_holds_something_of_a_person_hears_that_the_person_is_gone(
    domain: str,
) -> None:
    hears = UserErased in domain_class(domain).consumes() or domain == "users"
    assert hears is bool(PERSONAL[domain])
