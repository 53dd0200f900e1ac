"""The catalogue: categories, products, variants, reviews, and stock as it sees it."""

from alembic import op

revision = "0001"
down_revision = None

CATEGORIES = """
CREATE TABLE categories (
    id uuid PRIMARY KEY,
    parent_id uuid REFERENCES categories (id),
    name text NOT NULL,
    slug text NOT NULL CONSTRAINT categories_slug_key UNIQUE,
    position integer NOT NULL,
    version integer NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX ix_categories_parent_id ON categories (parent_id);
"""

PRODUCTS = """
CREATE TABLE products (
    id uuid PRIMARY KEY,
    seller_id uuid,
    category_id uuid REFERENCES categories (id),
    name text NOT NULL,
    slug text NOT NULL,
    description text NOT NULL,
    status text NOT NULL
        CONSTRAINT products_status CHECK (status IN ('DRAFT', 'ACTIVE', 'ARCHIVED')),
    options jsonb NOT NULL,
    images jsonb NOT NULL,
    price_min bigint NOT NULL,
    price_max bigint NOT NULL,
    currency text NOT NULL,
    rating_sum bigint NOT NULL,
    rating_count integer NOT NULL,
    rating_millis integer NOT NULL,
    search tsvector NOT NULL,
    version integer NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT products_rating
        CHECK (rating_sum BETWEEN rating_count AND 5 * rating_count)
);
CREATE INDEX ix_products_seller_id ON products (seller_id);
CREATE INDEX ix_products_category_id ON products (category_id);
CREATE INDEX ix_products_slug ON products (slug);
CREATE INDEX products_newest ON products (status, created_at, id);
CREATE INDEX products_price ON products (status, price_min, id);
CREATE INDEX products_rating_order ON products (status, rating_millis, id);
CREATE INDEX products_search ON products USING gin (search);
CREATE INDEX products_name_trigrams ON products USING gin (name gin_trgm_ops);
"""

VARIANTS = """
CREATE TABLE variants (
    sku text PRIMARY KEY,
    product_id uuid NOT NULL REFERENCES products (id),
    position integer NOT NULL,
    active boolean NOT NULL,
    options jsonb NOT NULL,
    price_amount bigint NOT NULL CONSTRAINT variants_price CHECK (price_amount >= 0),
    compare_at_amount bigint,
    currency text NOT NULL,
    barcode text,
    weight_grams integer
);
CREATE INDEX ix_variants_product_id ON variants (product_id);
CREATE TABLE sku_stock (
    sku text PRIMARY KEY,
    in_stock boolean NOT NULL,
    sequence bigint NOT NULL
);
"""

REVIEWS = """
CREATE TABLE reviews (
    id uuid PRIMARY KEY,
    product_id uuid NOT NULL REFERENCES products (id),
    user_id uuid NOT NULL,
    rating smallint NOT NULL
        CONSTRAINT reviews_rating CHECK (rating BETWEEN 1 AND 5),
    title text,
    comment text NOT NULL,
    status text NOT NULL CONSTRAINT reviews_status
        CHECK (status IN ('PENDING', 'APPROVED', 'REJECTED')),
    reason text,
    moderator_id uuid,
    version integer NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT reviews_once UNIQUE (product_id, user_id)
);
CREATE INDEX ix_reviews_user_id ON reviews (user_id);
CREATE INDEX reviews_by_product ON reviews (product_id, status, created_at, id);
CREATE INDEX reviews_by_status ON reviews (status, created_at, id);
CREATE TABLE purchases (
    order_id uuid,
    product_id uuid,
    user_id uuid NOT NULL,
    PRIMARY KEY (order_id, product_id)
);
CREATE INDEX purchases_by_product ON purchases (product_id, user_id);
"""

# A function with its own setting: the operator's index is used, and a mistyped word
# (two of ten letters) is still found; 0.45 was tried against names of four words.
SIMILAR = """
CREATE FUNCTION similar_products (words text)
RETURNS TABLE (id uuid, score real) LANGUAGE sql STABLE
SET pg_trgm.word_similarity_threshold = 0.45
AS 'SELECT id, word_similarity(words, name) FROM products WHERE words <% name';
"""


def upgrade() -> None:
    """Make all of it; `pg_trgm` is a trusted extension, so the owner may."""
    op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    for script in (CATEGORIES, PRODUCTS, VARIANTS, REVIEWS, SIMILAR):
        for statement in script.split(";\n"):
            if statement.strip():
                op.execute(statement)
