"""What may be written of products, categories and reviews."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from bus.products import (
    IMAGES_MAX,
    VARIANTS_MAX,
    CategoryDraft,
    Option,
    ProductChanges,
    ProductDraft,
    VariantDraft,
)
from serve_app.kit.bodies import Body, Line, MoneyBody, Sku, Slug, Text

OPTIONS_MAX = 5
VALUES_MAX = 100
WEIGHT_GRAMS_MAX = 1_000_000
COMMENT_MAX = 5_000
POSITION_MAX = 1_000_000

ShortLine = Annotated[Line, Field(max_length=60)]
Status = Literal["DRAFT", "ACTIVE"]


class OptionBody(Body):
    """A way in which variants differ, with its values in order."""

    name: ShortLine
    values: Annotated[list[ShortLine], Field(min_length=1, max_length=VALUES_MAX)]

    def value(self) -> Option:
        """The same option as the domain knows it."""
        return Option(self.name, tuple(dict.fromkeys(self.values)))


class VariantBody(Body):
    """One SKU: its price in the shop's currency, and its value of each option."""

    sku: Sku
    price: MoneyBody
    options: Annotated[
        dict[ShortLine, ShortLine],
        Field(default_factory=dict, max_length=OPTIONS_MAX),
    ]
    compare_at_price: MoneyBody | None = None
    barcode: ShortLine | None = None
    weight_grams: Annotated[int, Field(ge=0, le=WEIGHT_GRAMS_MAX)] | None = None

    def value(self) -> VariantDraft:
        """The same variant as the domain knows it."""
        compare = self.compare_at_price
        return VariantDraft(
            sku=self.sku,
            price=self.price.value(),
            options=dict(self.options),
            compare_at_price=None if compare is None else compare.value(),
            barcode=self.barcode,
            weight_grams=self.weight_grams,
        )


Variants = Annotated[list[VariantBody], Field(min_length=1, max_length=VARIANTS_MAX)]
Options = Annotated[list[OptionBody], Field(max_length=OPTIONS_MAX)]


class ProductBody(Body):
    """A whole product. Without `options` they follow from the variants.

    `seller_id` is an administrator's to give; null is the shop itself.
    """

    name: Line
    description: Text
    variants: Variants
    category_id: UUID | None = None
    slug: Slug | None = None
    options: Options | None = None
    status: Status = "ACTIVE"
    seller_id: UUID | None = None

    def draft(self) -> ProductDraft:
        """A new product as the domain knows it."""
        return ProductDraft(
            name=self.name,
            description=self.description,
            variants=tuple(variant.value() for variant in self.variants),
            category_id=self.category_id,
            slug=self.slug,
            options=tuple(option.value() for option in self.options or ()),
            status=self.status,
        )

    def changes(self) -> ProductChanges:
        """The edit that makes a product just this; an absent slug stays."""
        draft = self.draft()
        changes: dict[str, Any] = {
            "name": draft.name,
            "description": draft.description,
            "variants": draft.variants,
            "category_id": draft.category_id,
            "status": draft.status,
        }
        if draft.slug is not None:
            changes["slug"] = draft.slug
        if self.options is not None:
            changes["options"] = draft.options
        if "seller_id" in self.model_fields_set:
            changes["seller_id"] = self.seller_id
        return ProductChanges(**changes)


class ProductPatchBody(Body):
    """Some fields of a product; those that are absent stay as they are."""

    name: Line = ""
    description: Text = ""
    variants: Annotated[Variants, Field(default_factory=list)]
    category_id: UUID | None = None
    slug: Slug = ""
    options: Annotated[Options, Field(default_factory=list)]
    status: Status = "ACTIVE"
    seller_id: UUID | None = None

    def changes(self) -> ProductChanges:
        """The edit of the fields that were given."""
        changes = {name: getattr(self, name) for name in self.model_fields_set}
        for name in ("variants", "options"):
            if name in changes:
                changes[name] = tuple(each.value() for each in changes[name])
        return ProductChanges(**changes)


class ImageBody(Body):
    """An uploaded picture that a product is to show, with its alternative text."""

    file_id: UUID
    alt: Annotated[Text, Field(max_length=300)] = ""


class ImagePatchBody(Body):
    """A picture's text, or its place among the others: 0 is the first."""

    alt: Annotated[Text, Field(max_length=300)] = ""
    position: Annotated[int, Field(ge=0, lt=IMAGES_MAX)] = 0

    def changes(self) -> dict[str, Any]:
        """The fields that were given."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class CategoryBody(Body):
    """A category; without a slug one is made from the name."""

    name: Line
    parent_id: UUID | None = None
    slug: Slug | None = None
    position: Annotated[int, Field(ge=0, le=POSITION_MAX)] = 0

    def draft(self) -> CategoryDraft:
        """The same category as the domain knows it."""
        return CategoryDraft(**self.model_dump())


class ReviewBody(Body):
    """What a person thinks of a product, in one to five stars and in words."""

    rating: Annotated[int, Field(ge=1, le=5)]
    comment: Annotated[Text, Field(min_length=1, max_length=COMMENT_MAX)]
    title: Line | None = None


class ModerationBody(Body):
    """A moderator's verdict."""

    status: Literal["APPROVED", "REJECTED"]
    reason: Line | None = None
