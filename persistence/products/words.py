"""What was typed, word by word: as it stands, as a beginning, or mistyped."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import msgspec

from persistence.kit.database import Db
from persistence.kit.transaction import Tx

TYPED_WORDS_MAX = 12
"""How many words of a query count; those after them are not looked at."""
MEANT_MAX = 24
"""How many words one mistyped word may stand for."""
ONE_MISTAKE_LETTERS_MIN, TWO_MISTAKES_LETTERS_MIN = 3, 8

# A word's own form and its stem; as the last one also what it is the beginning of (a
# single letter, which begins too much, of names alone).
# A word is looked for in products, and in the names of the categories above them.
_READINGS = """
WITH RECURSIVE typed AS (
    SELECT t.n, t.word, t.begins,
           plainto_tsquery('simple', t.word) || plainto_tsquery('english', t.word)
               AS exact,
           numnode(plainto_tsquery('english', t.word)) = 0 AS is_stop
    FROM unnest($1::int[], $2::text[], $3::bool[]) AS t (n, word, begins)),
readings AS (
    SELECT *, CASE WHEN begins
        THEN exact || to_tsquery('simple', '''' || word || CASE length(word)
                                 WHEN 1 THEN ''':*A' ELSE ''':*' END)
        ELSE exact END AS wide
    FROM typed),
branches AS (
    SELECT r.n, c.id FROM readings AS r JOIN categories AS c ON c.search @@ r.wide
    UNION SELECT b.n, c.id FROM branches AS b JOIN categories AS c
        ON c.parent_id = b.id)
SELECT r.n, r.word, r.exact::text, r.wide::text, r.is_stop,
       ARRAY(SELECT id FROM branches AS b WHERE b.n = r.n ORDER BY id) AS categories
FROM readings AS r ORDER BY r.n
"""

_MEANT = """
SELECT t.n, s.word FROM unnest($1::int[], $2::text[]) AS t (n, word),
    LATERAL (SELECT word FROM search_words
             WHERE deletions && deletions(t.word) AND length(t.word) >= $3
             UNION SELECT similar_words(t.word) WHERE length(t.word) >= $4) AS s
"""

_SAVE_WORDS = """
INSERT INTO search_words (word)
SELECT DISTINCT t.word
FROM unnest($1::text[]) AS text, regexp_split_to_table(folded(text), ' ') AS t (word)
WHERE length(t.word) BETWEEN 3 AND 30 AND t.word !~ '[0-9]'
  AND NOT EXISTS (SELECT FROM search_words AS s WHERE s.word = t.word)
ORDER BY t.word ON CONFLICT DO NOTHING
"""


class Word(msgspec.Struct, frozen=True, kw_only=True):
    """One typed word: where it is found, as queries of Postgres' text search.

    `exact` are its own forms, `wide` beginnings too, `near` and `far` the words of the
    shop that are one or two mistakes away (None where it is taken as it stands);
    `categories` are those, with their descendants, whose name has it.
    """

    text: str
    exact: str
    wide: str
    categories: tuple[UUID, ...]
    near: str | None = None
    far: str | None = None

    @property
    def queries(self) -> tuple[str, ...]:
        """All forms that find it."""
        given = (self.wide, self.near, self.far)
        return tuple(each for each in given if each)


class Words(msgspec.Struct, frozen=True):
    """A query's words; `forgiven` has the bits of those taken as mistyped."""

    folded: str
    words: tuple[Word, ...]
    forgiven: int = 0


async def read_words(db: Db, q: str) -> Words:
    """The words of a query as they stand, without stop words among others."""
    folded = await db.fetchval("SELECT folded($1)", q)
    texts = list(dict.fromkeys(folded.split()))[:TYPED_WORDS_MAX]
    last = len(texts) - 1
    rows = await _readings(
        db,
        [(n, text, n == last) for n, text in enumerate(texts)],
    )
    rows = [row for row in rows if not row["is_stop"]] or rows
    return Words(folded, tuple(_word(row) for row in rows))


async def forgive(db: Db, words: Words, bits: int) -> Words:
    """The same, with those words that `bits` name read as mistyped or unfinished.

    What a word may stand for is a matter of letters alone, and the vocabulary only
    grows: what was found so is found again, in its old place, whatever was added.
    """
    typed = {n: each for n, each in enumerate(words.words) if bits >> n & 1}
    found = await db.fetch(
        _MEANT,
        list(typed),
        [each.text for each in typed.values()],
        ONE_MISTAKE_LETTERS_MIN,
        TWO_MISTAKES_LETTERS_MIN,
    )
    meant: dict[int, list[tuple[int, str]]] = {n: [] for n in typed}
    for row in found:
        mistakes = distance(typed[row["n"]].text, row["word"])
        if 0 < mistakes <= _mistakes_max(typed[row["n"]].text):
            meant[row["n"]].append((mistakes, row["word"]))
    near = [
        (n, mistakes, text)
        for n, each in meant.items()
        for mistakes, text in [(0, typed[n].text), *sorted(each)[:MEANT_MAX]]
    ]
    # Itself it may also be the beginning of a word, wherever it stands.
    wanted = [(at, text, not far) for at, (_, far, text) in enumerate(near)]
    rows = await _readings(db, wanted)
    changed = list(words.words)
    for n in typed:
        of = [(near[row["n"]][1], row) for row in rows if near[row["n"]][0] == n]
        changed[n] = _forgiven(changed[n], of)
    return Words(words.folded, tuple(changed), bits)


async def save_words(tx: Tx, texts: Iterable[str]) -> None:
    """Add the words of texts to the vocabulary, insert-once and in their order."""
    await tx.execute(_SAVE_WORDS, sorted(set(texts)))


async def save_spellings(tx: Tx, options: Iterable[tuple[str, str]]) -> None:
    """Remember how options' names and values are written, the first time they are."""
    pairs = sorted(set(options))
    await tx.execute(
        """INSERT INTO option_spellings (pair, name, value)
           SELECT DISTINCT ON (1) lower(name) || E'\\x1f' || lower(value), name, value
           FROM unnest($1::text[], $2::text[]) AS o (name, value)
           WHERE NOT EXISTS (
               SELECT FROM option_spellings AS s
               WHERE s.pair = lower(o.name) || E'\\x1f' || lower(o.value))
           ORDER BY 1 ON CONFLICT DO NOTHING""",
        [name for name, _ in pairs],
        [value for _, value in pairs],
    )


def distance(one: str, other: str) -> int:
    """How many mistakes apart: a letter more, less, or another, or two swapped."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, left in enumerate(one, 1):
        older, before, row = before, row, [i]
        for j, right in enumerate(other, 1):
            best = min(before[j] + 1, row[-1] + 1, before[j - 1] + (left != right))
            if i > 1 and j > 1 and left == other[j - 2] and one[i - 2] == right:
                best = min(best, older[j - 2] + 1)
            row.append(best)
    return row[-1]


async def _readings(db: Db, words: Sequence[tuple[int, str, bool]]) -> list[Any]:
    if not words:
        return []
    numbers, texts, begins = zip(*words, strict=True)
    rows: list[Any] = await db.fetch(_READINGS, numbers, texts, begins)
    return rows


def _word(row: Any) -> Word:
    categories = tuple(row["categories"])
    return Word(
        text=row["word"], exact=row["exact"], wide=row["wide"], categories=categories
    )


def _forgiven(word: Word, meant: Sequence[tuple[int, Any]]) -> Word:
    """The word with what it may mean: so many mistakes away, and how that is found."""
    categories = {category for _, row in meant for category in row["categories"]}
    return msgspec.structs.replace(
        word,
        wide=next(row["wide"] for mistakes, row in meant if not mistakes),
        near=_either(row for mistakes, row in meant if mistakes == 1),
        far=_either(row for mistakes, row in meant if mistakes > 1),
        categories=tuple(sorted(categories)),
    )


def _either(rows: Iterable[Any]) -> str | None:
    return " | ".join(row["exact"] for row in rows) or None


def _mistakes_max(word: str) -> int:
    if len(word) >= TWO_MISTAKES_LETTERS_MIN:
        return 2
    return 1 if len(word) >= ONE_MISTAKE_LETTERS_MIN else 0
