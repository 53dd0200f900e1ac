"""The tables of the catalogue."""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlmodel import Field, SQLModel

from persistence.kit.tables import domain_metadata

metadata = domain_metadata("products", noted=True)
Time = sa.DateTime(timezone=True)


def _made(kind: Any, formula: str) -> Any:
    """A column that Postgres computes from others of its row."""
    return sa.Column(kind, sa.Computed(formula, persisted=True), nullable=False)


class Table(SQLModel):
    """A table in this domain's database."""

    metadata = metadata


class Category(Table, table=True):
    """A node of the one category tree; all of them are written by one slot."""

    __tablename__ = "categories"
    __table_args__ = (sa.UniqueConstraint("slug", name="categories_slug_key"),)

    id: UUID = Field(primary_key=True)
    parent_id: UUID | None = Field(foreign_key="categories.id", index=True)
    name: str = Field(sa_type=sa.Text)
    slug: str = Field(sa_type=sa.Text)
    position: int
    search: str = Field(sa_type=pg.TSVECTOR)
    version: int
    created_at: datetime = Field(sa_type=Time)
    updated_at: datetime = Field(sa_type=Time)


class Product(Table, table=True):
    """A product; its SKUs and its slug are claimed."""

    __tablename__ = "products"
    __table_args__ = (
        sa.CheckConstraint(
            "rating_sum BETWEEN rating_count AND 5 * rating_count", "products_rating"
        ),
        sa.CheckConstraint(
            "status IN ('DRAFT', 'ACTIVE', 'ARCHIVED')", "products_status"
        ),
        sa.Index("products_newest", "status", "created_at", "id"),
        sa.Index("products_price", "status", "price_min", "id"),
        sa.Index("products_rating_order", "status", "rating_millis", "id"),
        sa.Index("products_search", "search", postgresql_using="gin"),
    )

    id: UUID = Field(primary_key=True)
    seller_id: UUID | None = Field(index=True)
    category_id: UUID | None = Field(foreign_key="categories.id", index=True)
    name: str = Field(sa_type=sa.Text)
    slug: str = Field(sa_type=sa.Text, index=True)
    description: str = Field(sa_type=sa.Text)
    status: str = Field(sa_type=sa.Text)
    options: list[Any] = Field(sa_type=pg.JSONB)
    images: list[Any] = Field(sa_type=pg.JSONB)
    price_min: int = Field(sa_type=sa.BigInteger)
    price_max: int = Field(sa_type=sa.BigInteger)
    currency: str = Field(sa_type=sa.Text)
    rating_sum: int = Field(sa_type=sa.BigInteger)
    rating_count: int
    rating_millis: int
    search: str = Field(sa_type=pg.TSVECTOR)
    bands: int
    pairs: list[str] = Field(sa_type=pg.ARRAY(sa.Text))
    version: int
    created_at: datetime = Field(sa_type=Time)
    updated_at: datetime = Field(sa_type=Time)


class Variant(Table, table=True):
    """A SKU; one that is no longer sold stays, so that nobody else gets its name."""

    __tablename__ = "variants"
    __table_args__ = (
        sa.CheckConstraint("price_amount >= 0", "variants_price"),
        sa.Index(
            "variants_pairs",
            "pairs",
            postgresql_using="gin",
            postgresql_where=sa.text("active"),
        ),
    )

    sku: str = Field(sa_type=sa.Text, primary_key=True)
    product_id: UUID = Field(foreign_key="products.id", index=True)
    position: int
    active: bool
    options: dict[str, Any] = Field(sa_type=pg.JSONB)
    price_amount: int = Field(sa_type=sa.BigInteger)
    compare_at_amount: int | None = Field(sa_type=sa.BigInteger)
    currency: str = Field(sa_type=sa.Text)
    barcode: str | None = Field(sa_type=sa.Text)
    weight_grams: int | None
    pairs: list[str] = Field(
        sa_column=_made(pg.ARRAY(sa.Text), "option_pairs(options)")
    )


class SearchWord(Table, table=True):
    """A word of a product's or category's text, insert-once: what typos may mean."""

    __tablename__ = "search_words"
    __table_args__ = (
        sa.Index("search_words_deletions", "deletions", postgresql_using="gin"),
        sa.Index(
            "search_words_trigrams",
            "word",
            postgresql_using="gin",
            postgresql_ops={"word": "gin_trgm_ops"},
        ),
    )

    word: str = Field(sa_type=sa.Text, primary_key=True)
    deletions: list[str] = Field(sa_column=_made(pg.ARRAY(sa.Text), "deletions(word)"))


class OptionSpelling(Table, table=True):
    """An option's name and value as they were first written, insert-once by pair."""

    __tablename__ = "option_spellings"

    pair: str = Field(sa_type=sa.Text, primary_key=True)
    name: str = Field(sa_type=sa.Text)
    value: str = Field(sa_type=sa.Text)


class SkuStock(Table, table=True):
    """Whether a SKU can be had: made from inventory's event number `sequence`."""

    __tablename__ = "sku_stock"

    sku: str = Field(sa_type=sa.Text, primary_key=True)
    in_stock: bool
    sequence: int = Field(sa_type=sa.BigInteger)


class Review(Table, table=True):
    """What a person thinks of a product, once."""

    __tablename__ = "reviews"
    __table_args__ = (
        sa.UniqueConstraint("product_id", "user_id", name="reviews_once"),
        sa.CheckConstraint("rating BETWEEN 1 AND 5", "reviews_rating"),
        sa.CheckConstraint(
            "status IN ('PENDING', 'APPROVED', 'REJECTED')", "reviews_status"
        ),
        sa.Index("reviews_by_product", "product_id", "status", "created_at", "id"),
        sa.Index("reviews_by_status", "status", "created_at", "id"),
    )

    id: UUID = Field(primary_key=True)
    product_id: UUID = Field(foreign_key="products.id")
    user_id: UUID = Field(index=True)
    rating: int = Field(sa_type=sa.SmallInteger)
    title: str | None = Field(sa_type=sa.Text)
    comment: str = Field(sa_type=sa.Text)
    status: str = Field(sa_type=sa.Text)
    reason: str | None = Field(sa_type=sa.Text)
    moderator_id: UUID | None
    version: int
    created_at: datetime = Field(sa_type=Time)
    updated_at: datetime = Field(sa_type=Time)


class Purchase(Table, table=True):
    """That a person was delivered a product, from the order's own event."""

    __tablename__ = "purchases"
    __table_args__ = (sa.Index("purchases_by_product", "product_id", "user_id"),)

    order_id: UUID = Field(primary_key=True)
    product_id: UUID = Field(primary_key=True)
    user_id: UUID


class Price(Table, table=True):
    """A change of a SKU's price, by the product's version that brought it."""

    __tablename__ = "prices"

    product_id: UUID = Field(primary_key=True, foreign_key="products.id")
    version: int = Field(primary_key=True)
    sku: str = Field(sa_type=sa.Text, primary_key=True)
    previous_amount: int = Field(sa_type=sa.BigInteger)
    amount: int = Field(sa_type=sa.BigInteger)
    currency: str = Field(sa_type=sa.Text)
    changed_at: datetime = Field(sa_type=Time)
    actor_id: UUID | None


class Import(Table, table=True):
    """A file that is imported; its products before number `place` are done.

    `tries` counts how often it was taken up since its last step.
    """

    __tablename__ = "imports"
    __table_args__ = (
        sa.CheckConstraint(
            "status IN ('PENDING', 'RUNNING', 'DONE', 'FAILED')", "imports_status"
        ),
    )

    id: UUID = Field(primary_key=True)
    owner_id: UUID
    editor_id: UUID | None
    seller_id: UUID | None
    status: str = Field(sa_type=sa.Text)
    place: int
    tries: int
    rows_total: int | None
    rows_done: int
    created: int
    updated: int
    unchanged: int
    failed: int
    errors_total: int
    warnings_total: int
    version: int
    created_at: datetime = Field(sa_type=Time)
    updated_at: datetime = Field(sa_type=Time)


class ImportPiece(Table, table=True):
    """A piece of a file, from its byte `start` on; dropped when the import ends."""

    __tablename__ = "import_pieces"

    import_id: UUID = Field(primary_key=True)
    start: int = Field(primary_key=True)
    data: bytes


class ImportIssueRow(Table, table=True):
    """An error or a warning of a line."""

    __tablename__ = "import_issues"

    import_id: UUID = Field(primary_key=True)
    number: int = Field(primary_key=True)
    warning: bool
    line: int
    field: str = Field(sa_type=sa.Text)
    code: str = Field(sa_type=sa.Text)
    detail: str = Field(sa_type=sa.Text)
