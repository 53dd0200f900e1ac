"""What every row that an audit reads is."""

from typing import ClassVar

import msgspec


class Row(msgspec.Struct, frozen=True, array_like=True):
    """A row of `table`; the fields are the columns that are read.

    Those with a default are not shown by a domain, or say who somebody is.
    """

    database: ClassVar[str]
    table: ClassVar[str]
