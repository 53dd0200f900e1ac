"""Finds what belongs to a person, wherever it rests: rows, files, events."""

import re
from base64 import b64encode
from collections.abc import Iterable
from pathlib import Path

import asyncpg

_COLUMNS = """
SELECT c.relname AS table_name, a.attname AS column_name
FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
  AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY c.relname, a.attnum
"""


class Needles:
    """Texts that are looked for, in whatever case, as they are and as bytes are shown.

    Postgres shows bytes in hexadecimal digits, mail hides them in base64: of that the
    three ways are looked for that a text can lie in it.
    """

    def __init__(self, *texts: str) -> None:
        shown = {form for text in texts for form in _forms(text)}
        encoded = {form for text in texts for form in _base64(text.encode())}
        self._pattern = "|".join(sorted(map(re.escape, shown)))
        self._bytes = re.compile(
            b"|".join(re.escape(form.encode()) for form in sorted(shown)), re.IGNORECASE
        )
        self._encoded = re.compile(
            b"|".join(re.escape(form) for form in sorted(encoded))
        )

    async def in_database(self, url: str) -> set[str]:
        """The columns of a database, as `table.column`, that hold one of them."""
        connection = await asyncpg.connect(url)
        try:
            tables: dict[str, list[str]] = {}
            for row in await connection.fetch(_COLUMNS):
                tables.setdefault(row["table_name"], []).append(row["column_name"])
            return {
                f"{table}.{column}"
                for table, columns in tables.items()
                for column in await self._in_table(connection, table, columns)
            }
        finally:
            await connection.close()

    async def _in_table(
        self, connection: asyncpg.Connection, table: str, columns: list[str]
    ) -> list[str]:
        hits = ", ".join(f'bool_or("{name}"::text ~* $1)' for name in columns)
        row = await connection.fetchrow(f'SELECT {hits} FROM "{table}"', self._pattern)
        return [name for name, hit in zip(columns, row or (), strict=True) if hit]

    def in_bytes(self, content: bytes) -> bool:
        """Whether bytes hold one of them."""
        return bool(self._bytes.search(content) or self._encoded.search(content))

    def in_files(self, folder: Path, but: Iterable[Path] = ()) -> list[str]:
        """The files below a folder that hold one of them, in content or name."""
        left_out = tuple(but)
        return [
            str(path.relative_to(folder))
            for path in sorted(folder.rglob("*"))
            if path.is_file()
            if not any(path.is_relative_to(other) for other in left_out)
            if self.in_bytes(path.read_bytes()) or self.in_bytes(str(path).encode())
        ]


def _forms(text: str) -> tuple[str, ...]:
    return text, text.encode().hex()


def _base64(raw: bytes) -> set[bytes]:
    """What `raw` looks like inside of base64, less the characters that others share."""
    found = set()
    for before in range(3):
        encoded = b64encode(b"\0" * before + raw)
        found.add(encoded[(4 * before + 2) // 3 : 4 * ((before + len(raw)) // 3)])
    return found
