"""What products decides, without a database: drafts, edits, slugs, verdicts."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType
from slugify import slugify

from bus.kit.refusals import FieldError, Refusal, stale
from bus.kit.values import Money
from bus.products import (
    IMAGES_MAX,
    VARIANTS_MAX,
    CategoryDraft,
    CategoryView,
    Image,
    Option,
    ProductChanges,
    ProductDraft,
    ReviewStatus,
    VariantDraft,
    bad_variants,
    category_cycle,
    category_too_deep,
    currency_mismatch,
    no_product,
    no_variant,
    slug_taken,
    unknown_category,
    unknown_image,
)
from persistence.products import Product

SLUG_MAX = 80
CATEGORY_DEPTH_MAX = 10
SUFFIX_LENGTH = 8
SLUGS_RESERVED = frozenset(("import", "export"))
"""What stands in the place of a slug in an address already."""
_ID = re.compile("[0-9a-f]{32}")


def slugs(name: str, slug: str | None, owner_id: UUID) -> tuple[str, ...]:
    """The slugs that would do, best first: the given one, or two from the name.

    The second of those ends in a piece of the owner's id, so it is free for sure.
    """
    if slug is not None:
        return () if reserved(slug) else (slug,)
    made = slugify(name, max_length=SLUG_MAX) or "item"
    longer = f"{made}-{owner_id.hex[-SUFFIX_LENGTH:]}"
    return (longer,) if reserved(made) else (made, longer)


def reserved(slug: str) -> bool:
    """Whether an address with it means something else: a route, or the id of another.

    An id is whatever reads as one, with its hyphens anywhere.
    """
    return slug in SLUGS_RESERVED or _ID.fullmatch(slug.replace("-", "")) is not None


def created(
    product_id: UUID,
    seller_id: UUID | None,
    draft: ProductDraft,
    images: tuple[Image, ...],
    slug: str,
    now: datetime,
) -> Product:
    """The first version of a product."""
    return Product(
        id=product_id,
        version=1,
        created_at=now,
        updated_at=now,
        seller_id=seller_id,
        category_id=draft.category_id,
        name=draft.name,
        slug=slug,
        description=draft.description,
        status=draft.status,
        options=draft.options or options_of(draft.variants),
        images=images,
        variants=draft.variants,
    )


def changed(product: Product, changes: ProductChanges, now: datetime) -> Product:
    """The next version of a product; options follow the variants unless given."""
    fields = msgspec.structs.asdict(changes)
    given = {name: value for name, value in fields.items() if value is not UNSET}
    if "variants" in given and "options" not in given:
        given["options"] = _narrowed(product.options, given["variants"])
    return next_version(msgspec.structs.replace(product, **given), now)


def next_version(product: Product, now: datetime) -> Product:
    """The same product, one edit further."""
    return msgspec.structs.replace(product, version=product.version + 1, updated_at=now)


def with_variant(
    product: Product, variant: VariantDraft, *, new: bool
) -> ProductChanges:
    """The edit that adds a variant, or rewrites the one of its SKU."""
    if new == (variant.sku in product.skus):
        raise bad_variants("The product has this SKU already.") if new else no_variant()
    if new:
        variants = (*product.variants, variant)
    else:
        variants = tuple(
            variant if each.sku == variant.sku else each for each in product.variants
        )
    return ProductChanges(variants=variants, options=widened(product.options, variants))


def without_variant(product: Product, sku: str) -> ProductChanges:
    """The edit that takes a variant away; the last one has to stay."""
    if sku not in product.skus:
        raise no_variant()
    variants = tuple(each for each in product.variants if each.sku != sku)
    if not variants:
        raise bad_variants("A product has at least one variant.")
    return ProductChanges(variants=variants)


def options_of(variants: Sequence[VariantDraft]) -> tuple[Option, ...]:
    """The options that the variants' own values add up to, in order."""
    return widened((), variants)


def widened(
    options: Sequence[Option], variants: Sequence[VariantDraft]
) -> tuple[Option, ...]:
    """The options, and after them every value that a variant has besides."""
    values: dict[str, dict[str, None]] = {
        option.name: dict.fromkeys(option.values) for option in options
    }
    for variant in variants:
        for name, value in variant.options.items():
            values.setdefault(name, {})[value] = None
    return tuple(Option(name, tuple(found)) for name, found in values.items())


def _narrowed(
    options: Sequence[Option], variants: Sequence[VariantDraft]
) -> tuple[Option, ...]:
    """The variants' own options, in the order in which the product has them.

    A variant that was read from the database does not know that order.
    """
    own = {option.name: set(option.values) for option in options_of(variants)}
    kept = (
        Option(option.name, tuple(v for v in option.values if v in own[option.name]))
        for option in options
        if option.name in own
    )
    return widened(tuple(kept), variants)


def check_variants(
    options: Sequence[Option], variants: Sequence[VariantDraft], currency: str
) -> None:
    """Refuse variants that contradict the options, each other, or the currency."""
    if not 1 <= len(variants) <= VARIANTS_MAX:
        raise bad_variants(f"A product has 1 to {VARIANTS_MAX} variants.")
    allowed = {option.name: set(option.values) for option in options}
    errors: list[FieldError] = []
    skus: set[str] = set()
    choices: set[tuple[tuple[str, str], ...]] = set()
    for index, variant in enumerate(variants):
        if any(money.currency != currency for money in _prices(variant)):
            raise currency_mismatch(currency)
        choice = tuple(sorted(variant.options.items()))
        if variant.sku in skus:
            errors.append(FieldError(f"variants.{index}.sku", "repeated-sku"))
        if choice in choices:
            errors.append(FieldError(f"variants.{index}.options", "repeated-options"))
        if variant.options.keys() != allowed.keys() or any(
            value not in allowed[name] for name, value in choice
        ):
            errors.append(FieldError(f"variants.{index}.options", "unknown-option"))
        skus.add(variant.sku)
        choices.add(choice)
    if errors:
        raise bad_variants("Each variant has a SKU and a choice of its own.", *errors)


def check_editor(
    product: Product | None, editor_id: UUID | None, version: int | None
) -> Product:
    """Refuse whoever may not edit, and who has seen another version.

    Another seller's product is refused as if there were none. An archived product
    reads, but is edited no more.
    """
    if product is None or product.status == "ARCHIVED":
        raise no_product()
    if editor_id is not None and product.seller_id != editor_id:
        raise no_product()
    check_version(product, version)
    return product


def check_version(product: Product, version: int | None) -> None:
    """Refuse whoever has seen another version; None takes any."""
    if version is not None and version != product.version:
        raise stale()


def visible(product: Product, viewer_id: UUID | None, *, admin: bool) -> bool:
    """Whether one may see it: what is not on sale, only its seller and admins."""
    if product.status == "ACTIVE" or admin:
        return True
    return viewer_id is not None and product.seller_id == viewer_id


def with_image(product: Product, image: Image) -> tuple[Image, ...] | Refusal:
    """The pictures with one more, or with this one's text changed."""
    if any(each.id == image.id for each in product.images):
        return tuple(image if each.id == image.id else each for each in product.images)
    if len(product.images) >= IMAGES_MAX:
        return bad_variants(f"A product has at most {IMAGES_MAX} pictures.")
    return (*product.images, image)


def with_changed_image(
    images: Sequence[Image],
    file_id: UUID,
    alt: str | UnsetType,
    position: int | UnsetType,
) -> tuple[Image, ...]:
    """The pictures with one's text or place changed; past the last is the last."""
    old = next((each for each in images if each.id == file_id), None)
    if old is None:
        raise unknown_image()
    image = old if alt is UNSET else Image(file_id, alt)
    place = images.index(old) if position is UNSET else position
    rest = [each for each in images if each.id != file_id]
    return (*rest[:place], image, *rest[place:])


def price_changes(
    before: Product, after: Product
) -> list[tuple[VariantDraft, VariantDraft]]:
    """The variants whose price moved: as they were, and as they are."""
    old = {variant.sku: variant for variant in before.variants}
    return [
        (old[variant.sku], variant)
        for variant in after.variants
        if variant.sku in old and old[variant.sku].price != variant.price
    ]


def product_facts(product: Product) -> dict[str, Any]:
    """What the audit log tells of a product: all but its texts."""
    return {
        "status": product.status,
        "slug": product.slug,
        "category_id": product.category_id,
        "prices": {each.sku: each.price.amount for each in product.variants},
        "images": [image.id for image in product.images],
    }


def category_facts(category: CategoryView) -> dict[str, Any]:
    """What the audit log tells of a category."""
    return {
        "name": category.name,
        "slug": category.slug,
        "parent_id": category.parent_id,
    }


def placed_category(
    category_id: UUID,
    draft: CategoryDraft,
    tree: Sequence[CategoryView],
    now: datetime,
) -> CategoryView:
    """A category at its place in the tree, as its first or its next version."""
    known = {category.id: category for category in tree}
    if draft.parent_id is not None and draft.parent_id not in known:
        raise unknown_category()
    above, depth = draft.parent_id, 1
    while above is not None:
        if above == category_id:
            raise category_cycle()
        above, depth = known[above].parent_id, depth + 1
    if depth + _height(category_id, tree) > CATEGORY_DEPTH_MAX:
        raise category_too_deep(CATEGORY_DEPTH_MAX)
    taken = {category.slug for category in tree if category.id != category_id}
    choice = slugs(draft.name, draft.slug, category_id)
    slug = next((each for each in choice if each not in taken), None)
    if slug is None:
        raise slug_taken()
    old = known.get(category_id)
    return CategoryView(
        id=category_id,
        version=old.version + 1 if old else 1,
        created_at=old.created_at if old else now,
        updated_at=now,
        name=draft.name,
        slug=slug,
        parent_id=draft.parent_id,
        position=draft.position,
    )


def rating_moves(
    before: ReviewStatus, after: ReviewStatus, stars: int
) -> tuple[int, int]:
    """What a verdict adds to the sum of stars and to the number of reviews."""
    count = (after == "APPROVED") - (before == "APPROVED")
    return stars * count, count


def _height(category_id: UUID, tree: Sequence[CategoryView]) -> int:
    """How many levels stand under a category; parents come before their children."""
    levels = {category_id: 0}
    for category in tree:
        if category.parent_id in levels and category.id not in levels:
            levels[category.id] = levels[category.parent_id] + 1
    return max(levels.values())


def _prices(variant: VariantDraft) -> list[Money]:
    prices = [variant.price]
    if variant.compare_at_price is not None:
        prices.append(variant.compare_at_price)
    return prices
