"""What every row that an audit reads is."""

from typing import ClassVar

import msgspec


class Row(msgspec.Struct, frozen=True):
    """A row of `table`; the fields are the columns that are read."""

    database: ClassVar[str]
    table: ClassVar[str]
