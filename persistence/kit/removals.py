"""Rows that are gone: noted by a trigger, where the shop itself removes none.

It costs a shop nothing until somebody removes something. Migrations are made of this:
what it answers for a domain that has run its migration is never changed.
"""

from collections.abc import Iterator, Mapping

import sqlalchemy as sa

KEPT = "2 days"
"""How long a note is kept; at least one is, however old, until the next is written."""


def note_removals(tables: Mapping[str, str]) -> Iterator[str]:
    """The statements that note what is removed, by table the key that is noted.

    Partitions that are dropped with their day, and what is deleted from a partition
    itself, are not noted: that is how old rows go.
    """
    yield """CREATE TABLE removals (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      name text NOT NULL,
      key text NOT NULL,
      at timestamptz NOT NULL DEFAULT now())"""
    yield """COMMENT ON TABLE removals IS
      'Rows that were removed by hand, or with a person: table and key; kept 2 days.'"""
    yield f"""CREATE FUNCTION note_removal() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        EXECUTE format('INSERT INTO removals (name, key)
          SELECT DISTINCT %L, (%s)::text FROM gone WHERE (%s) IS NOT NULL',
          TG_ARGV[0], TG_ARGV[1], TG_ARGV[1]);
        DELETE FROM removals WHERE at < now() - interval '{KEPT}';
        RETURN NULL;
      END $$"""
    for table, key in tables.items():
        yield f"""CREATE TRIGGER removal_is_noted AFTER DELETE ON {table}
          REFERENCING OLD TABLE AS gone FOR EACH STATEMENT
          EXECUTE FUNCTION note_removal('{table}', '{key}')"""


def removals_table(metadata: sa.MetaData) -> None:
    """Declare the table in a domain's metadata."""
    sa.Table(
        "removals",
        metadata,
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column(
            "at",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.func.now(),
        ),
        comment="Rows that were removed by hand, or with a person: table and key;"
        " kept 2 days.",
    )
