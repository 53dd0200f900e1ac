"""Finding: words without accents, a vocabulary for typos, options as keys."""

from alembic import op

revision = "0002"
down_revision = "0001"

# What is looked for and what is looked in are brought to one form by the same function:
# letters and digits without accents, in small letters, one blank between words.
FUNCTIONS = (
    """
CREATE FUNCTION folded (words text) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
RETURN btrim(regexp_replace(lower(unaccent(normalize(words, NFKC))),
                            '[^[:alnum:]]+', ' ', 'g'))
""",
    # The words as they stand, for beginnings of words and stop words, and their stems.
    """
CREATE FUNCTION search_of (name text, options text, skus text, description text)
RETURNS tsvector LANGUAGE sql STABLE PARALLEL SAFE
RETURN setweight(to_tsvector('simple', folded(name))
                 || to_tsvector('english', folded(name)), 'A')
    || setweight(to_tsvector('simple', folded(options || ' ' || skus))
                 || to_tsvector('english', folded(options)), 'B')
    || setweight(to_tsvector('english', folded(description)), 'D')
""",
    # Two words share one of these when one letter was left out, added, or is another,
    # or two neighbours changed places (the "symmetric delete" way of spelling).
    """
CREATE FUNCTION deletions (word text) RETURNS text[] LANGUAGE sql IMMUTABLE
PARALLEL SAFE
RETURN (SELECT array_agg(DISTINCT left(word, n - 1) || substr(word, n + 1))
        FROM generate_series(1, length(word) + 1) AS n)
""",
    """
CREATE FUNCTION option_pairs (options jsonb) RETURNS text[] LANGUAGE sql IMMUTABLE
PARALLEL SAFE
RETURN (SELECT coalesce(array_agg(lower(key) || E'\\x1f' || lower(value)), '{}')
        FROM jsonb_each_text(options))
""",
)

# Both tables are written insert-once, by whichever shard meets a new word first.
TABLES = (
    """
CREATE TABLE search_words (
    word text PRIMARY KEY,
    deletions text[] NOT NULL GENERATED ALWAYS AS (deletions(word)) STORED
)
""",
    "CREATE INDEX search_words_deletions ON search_words USING gin (deletions)",
    "CREATE INDEX search_words_trigrams ON search_words USING gin (word gin_trgm_ops)",
    """
CREATE TABLE option_spellings (
    pair text PRIMARY KEY,
    name text NOT NULL,
    value text NOT NULL
)
""",
    """
ALTER TABLE variants ADD COLUMN pairs text[] NOT NULL
    GENERATED ALWAYS AS (option_pairs(options)) STORED
""",
    "CREATE INDEX variants_pairs ON variants USING gin (pairs) WHERE active",
    # What all variants of a product come to: the bits of their price bands, as
    # `Product.bands` counts them, and their options.
    """
ALTER TABLE products ADD COLUMN bands integer NOT NULL DEFAULT 0,
    ADD COLUMN pairs text[] NOT NULL DEFAULT '{}'
""",
    "ALTER TABLE categories ADD COLUMN search tsvector NOT NULL DEFAULT ''",
)

# A setting of its own: the index is used, and two of eight letters may differ.
SIMILAR = """
CREATE FUNCTION similar_words (wanted text) RETURNS SETOF text LANGUAGE sql STABLE
SET pg_trgm.similarity_threshold = 0.34
AS 'SELECT word FROM search_words WHERE word % wanted
    ORDER BY similarity(word, wanted) DESC, word LIMIT 50'
"""

FILL = (
    """
UPDATE products SET bands = v.bands,
    search = search_of(name, coalesce(v.options, ''), v.skus, description),
    pairs = ARRAY(SELECT DISTINCT pair FROM variants AS o, unnest(o.pairs) AS pair
                  WHERE o.product_id = products.id AND o.active ORDER BY pair)
FROM (SELECT product_id, string_agg(sku, ' ') AS skus,
             string_agg((SELECT string_agg(value, ' ') FROM jsonb_each_text(options)),
                        ' ') AS options,
             bit_or(1 << width_bucket(price_amount, ARRAY[0, 1000, 2500, 5000, 10000,
                                      25000, 50000, 100000]::bigint[])) AS bands
      FROM variants WHERE active GROUP BY 1) AS v
WHERE v.product_id = products.id
""",
    """
UPDATE categories SET search = to_tsvector('simple', folded(name))
                               || to_tsvector('english', folded(name))
""",
    """
INSERT INTO option_spellings (pair, name, value)
SELECT DISTINCT ON (1) lower(key) || E'\\x1f' || lower(value), key, value
FROM variants, jsonb_each_text(options) ORDER BY 1, 2, 3
""",
    """
INSERT INTO search_words (word)
SELECT DISTINCT word FROM (
    SELECT name || ' ' || description AS text FROM products
    UNION ALL SELECT name FROM categories
    UNION ALL SELECT value FROM option_spellings) AS texts,
  regexp_split_to_table(folded(text), ' ') AS word
WHERE length(word) BETWEEN 3 AND 30 AND word !~ '[0-9]'
""",
)

OLD = (
    "DROP FUNCTION similar_products",
    "DROP INDEX products_name_trigrams",
)


def upgrade() -> None:
    """Make what finding needs and fill it; `unaccent` is a trusted extension."""
    op.execute("CREATE EXTENSION IF NOT EXISTS unaccent")
    for statement in (*FUNCTIONS, *TABLES, SIMILAR, *FILL, *OLD):
        op.execute(statement)
