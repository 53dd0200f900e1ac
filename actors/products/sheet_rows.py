"""The rows of one product in a CSV: what they say, or what is wrong in them."""

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from uuid import UUID

from msgspec import UNSET, UnsetType

from actors.products.sheet_file import SLUG_MAX, Group, Row, Sheet
from bus.kit.values import Money
from bus.products import VARIANTS_MAX, ImportIssue, ProductStatus
from bus.products.sheets import (
    SHEET_OPTIONS_MAX,
    column_name,
    money_of,
    name_of,
    text_of,
    unguarded,
)
from bus.products.steps import ProductSheet, VariantSheet

TITLE_MAX = 200
DESCRIPTION_MAX = 10_000
OPTION_MAX = 60
BARCODE_MAX = 60
GRAMS_MAX = 1_000_000
PIECES_MAX = 1_000_000
AMOUNT_MINOR_MAX = 10**12

Read = TypeVar("Read")

_SKU = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_OF_VARIANTS = (
    "sku",
    "price",
    *(f"option{number}_value" for number in range(1, SHEET_OPTIONS_MAX + 1)),
)
_OF_IMAGES = ("image", "image_position", "image_alt")
_PUBLISHED = {"true": True, "false": False, "": True}
_STATUSES: dict[str, ProductStatus] = {
    "active": "ACTIVE",
    "draft": "DRAFT",
    "archived": "DRAFT",
}
# Where a product has no options Shopify writes this one.
_NO_OPTION = ("title", "default title")


class RowReader:
    """Reads the rows of one product and gathers what is wrong in them.

    `categories` finds a category by its slug or its path of names, in small letters.
    """

    def __init__(
        self,
        group: Group,
        sheet: Sheet,
        currency: str,
        categories: Mapping[str, UUID],
    ) -> None:
        self.group = group
        self.columns = sheet.columns
        self.owners = sheet.owners
        self.currency = currency
        self.categories = categories
        self.errors: list[ImportIssue] = []
        self.warnings: list[ImportIssue] = []

    def read(self) -> ProductSheet | None:
        """What the rows say; None where an error was found."""
        first = self.group.rows[0]
        if not self.group.slug:
            self.error(first, "handle", "required", "A row needs a handle.")
            return None
        if len(self.group.slug) > SLUG_MAX:
            detail = f"At most {SLUG_MAX} characters."
            self.error(first, "handle", "too-long", detail)
            return None
        rows = [row for row in self.group.rows if self._is_variant(row)]
        if len(rows) > VARIANTS_MAX:
            detail = f"A product has at most {VARIANTS_MAX} variants."
            self.error(rows[VARIANTS_MAX], "sku", "too-many-variants", detail)
            return None
        if not rows:
            self.error(first, "sku", "required", "A product has at least one variant.")
        variants = self._variants(rows)
        sheet = ProductSheet(
            slug=self.group.slug,
            name=self._name(),
            variants=tuple(variants),
            description=self._if_there("description", self._description),
            status=self._status(),
            category_id=self._if_there("category", self._category),
        )
        return None if self.errors else sheet

    def error(self, row: Row, column: str, code: str, detail: str) -> None:
        """A reason why the product is left as it is."""
        self.errors.append(_issue(row, column, code, detail))

    def warn(self, row: Row, column: str, code: str, detail: str) -> None:
        """Something that is not taken over."""
        self.warnings.append(_issue(row, column, code, detail))

    def _is_variant(self, row: Row) -> bool:
        if "beyond" in row.cells:
            self.error(row, "", "cell-count", "The row has more cells than columns.")
        if any(row[column] for column in _OF_VARIANTS):
            return True
        if row is not self.group.rows[0] and not any(row[name] for name in _OF_IMAGES):
            self.error(row, "sku", "required", "The row has no variant and no image.")
        return False

    def _if_there(self, column: str, read: Callable[[], Read]) -> Read | UnsetType:
        return read() if column in self.columns else UNSET

    # --- the product -----------------------------------------------------------

    def _name(self) -> str:
        row = next((row for row in self.group.rows if row["title"]), self.group.rows[0])
        return self._line(row, "title", TITLE_MAX, required=True)

    def _description(self) -> str:
        row = self._first("description")
        text = text_of(row.cells.get("description", ""))
        if "\x00" in text:
            self.error(row, "description", "nul", "NUL is not allowed.")
        elif len(text) > DESCRIPTION_MAX:
            detail = f"At most {DESCRIPTION_MAX} characters."
            self.error(row, "description", "too-long", detail)
        return text

    def _category(self) -> UUID | UnsetType | None:
        row = self._first("category")
        name = unguarded(row["category"])
        if not name:
            return None
        found = self.categories.get(name_of(name))
        if found is None:
            self.warn(row, "category", "unknown-category", "The shop has no such one.")
            return UNSET
        return found

    def _status(self) -> ProductStatus | UnsetType:
        if not {"status", "published"} & self.columns:
            return UNSET
        row = self._first("status")
        word = row["status"].casefold() or "active"
        status = _STATUSES.get(word)
        if status is None:
            self.error(row, "status", "invalid", "It is active, draft or archived.")
            return UNSET
        if word == "archived":
            self.warn(row, "status", "archived-as-draft", "It is kept as a draft.")
        row = self._first("published")
        published = _PUBLISHED.get(row["published"].casefold())
        if published is None:
            self.error(row, "published", "invalid", "It is TRUE or FALSE.")
        return status if published else "DRAFT"

    def _first(self, column: str) -> Row:
        """The first row that says something there; else the first of all."""
        rows = self.group.rows
        return next((row for row in rows if row[column]), rows[0])

    # --- its variants ------------------------------------------------------------

    def _variants(self, rows: list[Row]) -> list[VariantSheet]:
        names = self._option_names(rows)
        variants: list[VariantSheet] = []
        skus: set[str] = set()
        choices: set[tuple[tuple[str, str], ...]] = set()
        for row in rows:
            variant = self._variant(row, names)
            choice = tuple(sorted(variant.options.items()))
            owner = self.owners.get(variant.sku, self.group.slug)
            if variant.sku and (variant.sku in skus or owner != self.group.slug):
                self.error(row, "sku", "repeated-sku", "The SKU stands twice.")
            elif choice in choices:
                detail = "Two variants have the same options."
                self.error(row, "option1_value", "repeated-options", detail)
            skus.add(variant.sku)
            choices.add(choice)
            variants.append(variant)
        return variants

    def _option_names(self, rows: list[Row]) -> dict[int, str]:
        """The names of the options, which Shopify writes in the first row alone."""
        names: dict[int, str] = {}
        for number in range(1, SHEET_OPTIONS_MAX + 1):
            column = f"option{number}_name"
            row = next((row for row in rows if row[column]), None)
            if row is None:
                continue
            name = self._line(row, column, OPTION_MAX)
            only_one = number == 1 and all(
                (name.casefold(), each["option1_value"].casefold()) == _NO_OPTION
                for each in rows
            )
            if name in names.values():
                self.error(row, column, "repeated-option", "The option stands twice.")
            if not only_one:
                names[number] = name
        return names

    def _variant(self, row: Row, names: dict[int, str]) -> VariantSheet:
        sku = row["sku"]
        if not sku:
            self.error(row, "sku", "required", "A variant needs a SKU.")
        elif not _SKU.fullmatch(sku):
            detail = "Letters, digits, '.', '_' and '-', at most 64."
            self.error(row, "sku", "invalid", detail)
        price = self._money(row, "price")
        if price is None and not row["price"]:
            self.error(row, "price", "required", "A variant needs a price.")
        rest: dict[str, Any] = {
            "compare_at_price": lambda: self._money(row, "compare_at_price"),
            "barcode": lambda: self._barcode(row),
            "weight_grams": lambda: self._grams(row),
        }
        columns = {"weight_grams": "grams"}
        return VariantSheet(
            sku=sku,
            price=price or Money(0, self.currency),
            options=self._options(row, names),
            pieces=self._pieces(row),
            **{
                name: self._if_there(columns.get(name, name), read)
                for name, read in rest.items()
            },
        )

    def _options(self, row: Row, names: dict[int, str]) -> dict[str, str]:
        options: dict[str, str] = {}
        for number in range(1, SHEET_OPTIONS_MAX + 1):
            column = f"option{number}_value"
            if number in names:
                options[names[number]] = self._line(
                    row, column, OPTION_MAX, required=True
                )
            elif row[column] and row[column].casefold() != _NO_OPTION[1]:
                self.error(row, column, "option-without-name", "It has no name.")
        return options

    def _money(self, row: Row, column: str) -> Money | None:
        text = row[column]
        if not text:
            return None
        money = money_of(text, self.currency)
        if money is None or money.amount > AMOUNT_MINOR_MAX:
            detail = f"It must be an amount such as 19.99, in {self.currency}."
            self.error(row, column, "invalid-price", detail)
        return money

    def _barcode(self, row: Row) -> str | None:
        # Shopify writes an apostrophe before it, so that no digit of it is lost.
        text = self._line(row, "barcode", BARCODE_MAX, plain=True)
        return text.removeprefix("'") or None

    def _grams(self, row: Row) -> int | None:
        text = re.sub(r"\.0+$", "", row["grams"])
        if not text:
            return None
        if not re.fullmatch(r"[0-9]{1,7}", text) or int(text) > GRAMS_MAX:
            detail = f"A whole number of grams, at most {GRAMS_MAX}."
            self.error(row, "grams", "invalid", detail)
            return None
        return int(text)

    def _pieces(self, row: Row) -> int:
        text = row["pieces"]
        if not text:
            return 0
        if not re.fullmatch(r"-?[0-9]{1,7}", text) or int(text) > PIECES_MAX:
            detail = f"A whole number of pieces, at most {PIECES_MAX}."
            self.error(row, "pieces", "invalid", detail)
            return 0
        if int(text) < 0:
            self.warn(row, "pieces", "negative-stock", "It is taken as none.")
        return max(0, int(text))

    def _line(
        self,
        row: Row,
        column: str,
        length_max: int,
        *,
        required: bool = False,
        plain: bool = False,
    ) -> str:
        """A text of one line; `plain` leaves an apostrophe before it where it is."""
        text = row[column] if plain else unguarded(row[column])
        if required and not text:
            self.error(row, column, "required", "It may not be empty.")
        elif _CONTROL.search(text):
            self.error(row, column, "invalid", "It must be one line of text.")
        elif len(text) > length_max:
            self.error(row, column, "too-long", f"At most {length_max} characters.")
        return text


def _issue(row: Row, column: str, code: str, detail: str) -> ImportIssue:
    name = column_name(column) if column else ""
    return ImportIssue(line=row.line, column=name, code=code, detail=detail)
