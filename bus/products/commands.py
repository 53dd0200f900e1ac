"""What products is asked to change."""

from typing import Literal
from uuid import UUID

from msgspec import UNSET, UnsetType

from bus.kit.messages import (
    Command,
    by,
)
from bus.kit.values import (
    Done,
)
from bus.products.views import (
    CategoryDraft,
    CategoryView,
    Image,
    ProductChanges,
    ProductDraft,
    ProductView,
    ReviewReceipt,
    VariantDraft,
)

CATEGORY_TREE = "categories"


class CreateProduct(Command[ProductView], frozen=True, kw_only=True):
    """Put a product into the catalogue; SKUs and slug are taken for it alone.

    `seller_id` None is the shop itself. `images` are pictures known to exist.
    """

    key = by("product_id")
    product_id: UUID
    seller_id: UUID | None
    draft: ProductDraft
    images: tuple[Image, ...] = ()


class UpdateProduct(Command[ProductView], frozen=True, kw_only=True):
    """Change what is given and leave the rest.

    `editor_id` None is an administrator, else the seller, whose own it must be.
    `version` is the one that was seen; None takes any. `actor_id` is who stands in the
    history of prices.
    """

    key = by("product_id")
    product_id: UUID
    editor_id: UUID | None
    changes: ProductChanges
    version: int | None = None
    actor_id: UUID | None = None


class ArchiveProduct(Command[Done], frozen=True, kw_only=True):
    """Take a product out of the shop; orders keep what they hold of it."""

    key = by("product_id")
    product_id: UUID
    editor_id: UUID | None
    version: int | None = None


class RestoreProduct(Command[ProductView], frozen=True, kw_only=True):
    """Bring an archived product back as a draft; any other stays as it is."""

    key = by("product_id")
    product_id: UUID
    editor_id: UUID | None
    version: int | None = None


class AddVariant(Command[ProductView], frozen=True, kw_only=True):
    """Add one variant at the end."""

    key = by("product_id")
    product_id: UUID
    editor_id: UUID | None
    variant: VariantDraft
    version: int | None = None
    actor_id: UUID | None = None


class UpdateVariant(Command[ProductView], frozen=True, kw_only=True):
    """Replace what is known of one variant, named by its SKU."""

    key = by("product_id")
    product_id: UUID
    editor_id: UUID | None
    variant: VariantDraft
    version: int | None = None
    actor_id: UUID | None = None


class RemoveVariant(Command[ProductView], frozen=True, kw_only=True):
    """Sell a variant no longer; its SKU stays this product's."""

    key = by("product_id")
    product_id: UUID
    editor_id: UUID | None
    sku: str
    version: int | None = None


class AddImage(Command[ProductView], frozen=True, kw_only=True):
    """Hang an uploaded picture under a product; a picture that hangs is renamed."""

    key = by("product_id")
    product_id: UUID
    editor_id: UUID | None
    image: Image
    version: int | None = None


class UpdateImage(Command[ProductView], frozen=True, kw_only=True):
    """Change a picture's text, or its place among the others (0 is the first)."""

    key = by("product_id")
    product_id: UUID
    editor_id: UUID | None
    file_id: UUID
    alt: str | UnsetType = UNSET
    position: int | UnsetType = UNSET
    version: int | None = None


class RemoveImage(Command[ProductView], frozen=True, kw_only=True):
    """Take a picture down; its file stays."""

    key = by("product_id")
    product_id: UUID
    editor_id: UUID | None
    file_id: UUID
    version: int | None = None


class CreateCategory(Command[CategoryView], frozen=True, kw_only=True):
    """Add a category; all category commands meet in one slot, so the tree is one."""

    key = by("tree")
    category_id: UUID
    draft: CategoryDraft
    tree: str = CATEGORY_TREE


class UpdateCategory(Command[CategoryView], frozen=True, kw_only=True):
    """Rewrite or move a category; under itself it cannot go (409)."""

    key = by("tree")
    category_id: UUID
    draft: CategoryDraft
    version: int | None = None
    tree: str = CATEGORY_TREE


class DeleteCategory(Command[Done], frozen=True, kw_only=True):
    """Remove a category that has neither products nor children."""

    key = by("tree")
    category_id: UUID
    version: int | None = None
    tree: str = CATEGORY_TREE


class SubmitReview(Command[ReviewReceipt], frozen=True, kw_only=True):
    """Say what one thinks of a product, once a person; it waits for a moderator.

    `review_id` carries the product's key.
    """

    key = by("product_id")
    product_id: UUID
    review_id: UUID
    user_id: UUID
    rating: int
    comment: str
    title: str | None = None


class ModerateReview(Command[Done], frozen=True, kw_only=True):
    """Approve or reject a review; the product's average follows at once."""

    key = by("review_id")
    review_id: UUID
    moderator_id: UUID
    status: Literal["APPROVED", "REJECTED"]
    reason: str | None = None
    version: int | None = None


# steps


class HangImage(Command[ProductView], frozen=True, kw_only=True):
    """Hang a picture that is known to exist."""

    key = by("product_id")
    product_id: UUID
    editor_id: UUID | None
    image: Image
    version: int | None = None
