"""The CSV of products: Shopify's columns, and how each value is written in them.

Columns are those of Shopify's product CSV, under the older names ("Handle", "Variant
SKU") and the newer ones ("URL handle", "SKU");
https://help.shopify.com/en/manual/products/import-export/using-csv. What is written
here is read back as the same, also what begins like a formula.
"""

import re
from collections.abc import Sequence
from html import escape
from html.parser import HTMLParser
from uuid import UUID

from iso4217 import Currency

from bus.kit.values import Money
from bus.products.views import CategoryView

SHEET_OPTIONS_MAX = 5
"""Shopify writes three options; a product here may have more, in columns of its own."""

_NAMES = {
    "handle": ("Handle", "URL handle"),
    "title": ("Title",),
    "description": ("Body (HTML)", "Description"),
    "category": ("Product Category",),
    "published": ("Published", "Published on online store"),
    "sku": ("Variant SKU", "SKU"),
    "grams": ("Variant Grams", "Weight value (grams)"),
    "pieces": ("Variant Inventory Qty", "Inventory quantity"),
    "price": ("Variant Price", "Price"),
    "compare_at_price": ("Variant Compare At Price", "Compare-at price"),
    "barcode": ("Variant Barcode", "Barcode"),
    "image": ("Image Src", "Product image URL"),
    "image_position": ("Image Position",),
    "image_alt": ("Image Alt Text",),
    "status": ("Status",),
    # What Shopify needs besides, and is the same for all products here.
    "tracker": ("Variant Inventory Tracker", "Inventory tracker"),
    "policy": ("Variant Inventory Policy", "Continue selling when out of stock"),
    "fulfilment": ("Variant Fulfillment Service", "Fulfillment service"),
} | {
    f"option{number}_{part}": (f"Option{number} {part.title()}",)
    for number in range(1, SHEET_OPTIONS_MAX + 1)
    for part in ("name", "value")
}
COLUMNS = {
    name.casefold(): column for column, names in _NAMES.items() for name in names
}
"""By a column's name in small letters what is read from it."""

REQUIRED = ("handle", "title", "sku", "price")

_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_GUARDED = re.compile(r"'+[=+\-@\t\r]")
_PICTURE = re.compile(r"/files/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/content\b")
_MARKUP = re.compile(r"<[A-Za-z/!?]|&(?:#?\w+;)")
_BLOCKS = frozenset(
    re.findall(
        r"\w+",
        "p div ul ol li table tr h1 h2 h3 h4 h5 h6 section article blockquote hr",
    )
)
_UNSEEN = frozenset(("script", "style", "template", "iframe", "object"))


EXPORTED = (
    *("handle", "title", "description", "category", "published"),
    *(f"option{number}_{part}" for number in (1, 2, 3) for part in ("name", "value")),
    *("sku", "grams", "tracker", "pieces", "policy", "fulfilment"),
    *("price", "compare_at_price", "barcode"),
    *("image", "image_position", "image_alt", "status"),
    *(f"option{number}_{part}" for number in (4, 5) for part in ("name", "value")),
)
"""The columns of an export, in Shopify's order; what it does not know stands last."""


def column_name(column: str) -> str:
    """The older of a column's names, by which it is known to most."""
    return _NAMES[column][0]


def guarded(text: str) -> str:
    """A text that no spreadsheet takes for a formula (OWASP, CSV injection)."""
    return f"'{text}" if _FORMULA.match(text) else text


def unguarded(text: str) -> str:
    """The inverse of `guarded`; any other text stays as it is."""
    return text[1:] if _GUARDED.match(text) else text


def decimal_of(money: Money) -> str:
    """An amount as Shopify writes it: `19.99`, or `1999` of a currency without cents.

    Exact: the digits of the integer with a point between them (ISO 4217's exponent).
    """
    places = _places(money.currency)
    digits = str(money.amount).rjust(places + 1, "0")
    return f"{digits[:-places]}.{digits[-places:]}" if places else digits


def money_of(text: str, currency: str) -> Money | None:
    """The inverse; None for what is no amount, or has more decimals than it can."""
    found = re.fullmatch(r"([0-9]{1,13})(?:\.([0-9]{1,4}))?", text)
    places = _places(currency)
    if found is None or len(found[2] or "") > places:
        return None
    return Money(int(found[1] + (found[2] or "").ljust(places, "0")), currency)


def picture_of(url: str) -> UUID | None:
    """The file that an address of a picture of this shop names; None for any other."""
    found = _PICTURE.search(url)
    return UUID(found[1]) if found else None


def html_of(text: str) -> str:
    """A description as a cell of "Body (HTML)": as it is, or escaped where it must be.

    A first character that a spreadsheet would take for a formula's is written as its
    number.
    """
    if not (_FORMULA.match(text) or _MARKUP.search(text) or "\r" in text):
        return text
    first = f"&#{ord(text[0])};" if _FORMULA.match(text) else escape(text[0])
    rest = escape(text[1:], quote=False)
    return (first + rest).replace("\r", "&#13;").replace("\n", "<br>")


def text_of(html: str) -> str:
    """The plain text of a description: what tags hide, scripts above all, is left out.

    Descriptions are text; who shows them escapes them. A cell without any markup is
    taken as it is.
    """
    plain = html.replace("\r\n", "\n")
    if not _MARKUP.search(plain):
        return plain
    reader = _Text()
    reader.feed(plain)
    reader.close()
    return reader.text()


def category_paths(categories: Sequence[CategoryView]) -> dict[str, UUID]:
    """Categories by what may stand in "Product Category", in small letters.

    The path of their names (`home > kitchen`; they come parents first), or their slug.
    Of two with one path the first counts.
    """
    found: dict[str, UUID] = {}
    for category_id, path in _paths(categories).items():
        found.setdefault(path.casefold(), category_id)
    for each in categories:
        found.setdefault(each.slug, each.id)
    return found


def category_names(categories: Sequence[CategoryView]) -> dict[UUID, str]:
    """By category what is written in "Product Category": its path, else its slug."""
    read = category_paths(categories)
    paths = _paths(categories)
    return {
        each.id: name
        for each in categories
        for name in (each.slug, paths[each.id])
        if read.get(name_of(name)) == each.id
    }


def name_of(text: str) -> str:
    """A cell of "Product Category" as `category_paths` knows it."""
    return " > ".join(part.strip() for part in text.split(">")).casefold()


class _Text(HTMLParser):
    """Reads the text of a piece of HTML, a line for each block."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._parts: list[str] = []
        self._unseen = 0
        self._blocks = False

    def handle_starttag(self, tag: str, _: object) -> None:
        """Begin a line, or a part that is not shown."""
        if tag == "br":
            self._parts.append("\n")
        elif tag in _UNSEEN:
            self._unseen += 1
        elif tag in _BLOCKS:
            self._break()

    def handle_endtag(self, tag: str) -> None:
        """End a line, or a part that is not shown."""
        if tag in _UNSEEN:
            self._unseen = max(0, self._unseen - 1)
        elif tag in _BLOCKS:
            self._break()

    def handle_data(self, data: str) -> None:
        """Take the text between two tags; its line breaks mean nothing in HTML."""
        if not self._unseen:
            self._parts.append(data.replace("\n", " "))

    def text(self) -> str:
        """All of it; spaces count only where nothing but <br> shapes the text."""
        text = "".join(self._parts)
        if not self._blocks:
            return text
        lines = (" ".join(line.split()) for line in text.split("\n"))
        return "\n".join(line for line in lines if line)

    def _break(self) -> None:
        self._blocks = True
        self._parts.append("\n")


def _places(currency: str) -> int:
    return Currency(currency).exponent or 0


def _paths(categories: Sequence[CategoryView]) -> dict[UUID, str]:
    paths: dict[UUID, str] = {}
    for each in categories:
        above = paths.get(each.parent_id) if each.parent_id else None
        name = each.name.strip()
        paths[each.id] = f"{above} > {name}" if above else name
    return paths
