"""How products says no."""

from bus.kit.refusals import (
    FieldError,
    Refusal,
    conflict,
    forbidden,
    invalid,
    not_found,
)


def no_product() -> Refusal:
    """No such product, or none that the viewer may see (404)."""
    return not_found("product")


def no_category() -> Refusal:
    """No such category (404)."""
    return not_found("category")


def no_review() -> Refusal:
    """No such review (404)."""
    return not_found("review")


def no_variant() -> Refusal:
    """The product has no such variant (404)."""
    return not_found("variant")


def sku_taken(*skus: str) -> Refusal:
    """SKUs that belong to another product or stand twice (409)."""
    errors = (FieldError("sku", "sku-taken", f"{sku} is taken.") for sku in skus)
    return conflict("sku-taken", "A SKU is already in use.", *errors)


def slug_taken() -> Refusal:
    """The slug belongs to another (409)."""
    return conflict("slug-taken", "The slug is already in use.")


def currency_mismatch(currency: str) -> Refusal:
    """A price is not in the shop's one currency (422)."""
    return invalid("currency-mismatch", f"This shop sells in {currency}.")


def unknown_category() -> Refusal:
    """The product or category names a category that does not exist (422)."""
    error = FieldError("category_id", "unknown-category")
    return invalid("unknown-category", "There is no such category.", error)


def unknown_image() -> Refusal:
    """The image names a file that does not exist, or may not be shown (422)."""
    error = FieldError("file_id", "unknown-file")
    return invalid("unknown-file", "There is no such picture of yours.", error)


def bad_variants(detail: str, *errors: FieldError) -> Refusal:
    """The variants contradict the options, each other or a limit (422)."""
    return invalid("invalid-variants", detail, *errors)


def invalid_cursor() -> Refusal:
    """The cursor is not one that this list gave (422)."""
    error = FieldError("cursor", "invalid-cursor")
    return invalid("invalid-cursor", "The cursor is not one of this list.", error)


def category_cycle() -> Refusal:
    """A category cannot stand under itself (409)."""
    return conflict("category-cycle", "A category cannot stand under itself.")


def category_too_deep(depth_max: int) -> Refusal:
    """The tree has only so many levels (409)."""
    return conflict("category-too-deep", f"The tree has at most {depth_max} levels.")


def category_in_use() -> Refusal:
    """A category with products or children stays (409)."""
    return conflict("category-in-use", "The category has products or children.")


def review_exists() -> Refusal:
    """One review a person and product (409)."""
    return conflict("review-exists", "You have already reviewed this product.")


def own_product() -> Refusal:
    """Nobody reviews what they sell themselves (403)."""
    return forbidden("You cannot review a product of your own.")


def no_import() -> Refusal:
    """No such import, or none that the viewer may see (404)."""
    return not_found("import")


def handle_taken() -> Refusal:
    """The handle is another product's (409)."""
    return conflict("handle-taken", "The handle is in use by another product.")
