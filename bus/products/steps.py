"""What products says to itself: while a file is imported, and of what comes back."""

from typing import Any, Literal
from uuid import UUID

from msgspec import UNSET, UnsetType

from bus.kit.messages import Command, by
from bus.kit.values import Done, Money, Value
from bus.products.imports import ImportIssue
from bus.products.views import ProductStatus, ProductView


class VariantSheet(Value, frozen=True, kw_only=True):
    """A variant as rows of a file say it; what the file has no column for is UNSET.

    `pieces` opens the stock of a SKU that is new.
    """

    sku: str
    price: Money
    options: dict[str, str]
    compare_at_price: Money | UnsetType | None = UNSET
    barcode: str | UnsetType | None = UNSET
    weight_grams: int | UnsetType | None = UNSET
    pieces: int = 0


class ProductSheet(Value, frozen=True, kw_only=True):
    """A product as rows of a file say it; variants it does not name stay."""

    slug: str
    name: str
    variants: tuple[VariantSheet, ...]
    description: str | UnsetType = UNSET
    status: ProductStatus | UnsetType = UNSET
    category_id: UUID | UnsetType | None = UNSET


class Imported(Value, frozen=True):
    """What an import did to a product."""

    outcome: Literal["created", "updated", "unchanged"]


class ImportProduct(Command[Imported], frozen=True, kw_only=True):
    """Make one product of a file, or bring it to what the file says.

    Its id is the import's for this product, so that it acts once however often a
    resumed import sends it. A product that is as the file says is not touched.
    """

    key = by("product_id")
    product_id: UUID
    editor_id: UUID | None
    seller_id: UUID | None
    actor_id: UUID
    sheet: ProductSheet


class ImportCounts(Value, frozen=True, kw_only=True):
    """By how much a part of an import moves its counts on."""

    rows: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    failed: int = 0


class CarryOutImport(Command[Done], frozen=True, kw_only=True):
    """Carry an import out from where it was left; due until it has ended."""

    key = by("import_id")
    remembered = False
    import_id: UUID


class TakeUpImport(Command[Any], frozen=True, kw_only=True):
    """An import as it stands; counts how often it was taken up without a step on."""

    key = by("import_id")
    remembered = False
    import_id: UUID


class NoteImport(Command[Done], frozen=True, kw_only=True):
    """Write what became of the products from number `begin` up to `end`, once.

    Number -1 is the reading of the file itself, whose rows are `rows_total`.
    """

    key = by("import_id")
    remembered = False
    import_id: UUID
    begin: int
    end: int
    counts: ImportCounts
    errors: tuple[ImportIssue, ...] = ()
    warnings: tuple[ImportIssue, ...] = ()
    rows_total: int | None = None


class FinishImport(Command[Done], frozen=True, kw_only=True):
    """The import is done, or (with an error) could not be; its file is dropped."""

    key = by("import_id")
    remembered = False
    import_id: UUID
    error: ImportIssue | None = None


class DropImport(Command[Done], frozen=True, kw_only=True):
    """Forget an import whose time is over, or that was never begun."""

    key = by("import_id")
    remembered = False
    import_id: UUID


class ReturnProduct(Command[ProductView], frozen=True, kw_only=True):
    """Make a draft of an archived product, under the first slug that is free."""

    key = by("product_id")
    product_id: UUID
    editor_id: UUID | None
    slugs: tuple[str, ...]
    version: int | None = None
