"""How a product is shown."""

from uuid import UUID

from bus.files import content_url, size_urls
from bus.products import ImageView, ProductView, Rating
from persistence.products import Product


def shown(product: Product, base_url: str) -> ProductView:
    """What the world may see of a product; `base_url` is that of its pictures."""
    return ProductView(
        id=product.id,
        version=product.version,
        created_at=product.created_at,
        updated_at=product.updated_at,
        name=product.name,
        slug=product.slug,
        description=product.description,
        status=product.status,
        category_id=product.category_id,
        seller_id=product.seller_id,
        options=product.options,
        variants=product.variants,
        images=tuple(
            ImageView(
                image.id,
                image.alt,
                content_url(image.id, base_url=base_url),
                size_urls(image.id, base_url),
            )
            for image in product.images
        ),
        rating=rating(product.rating_sum, product.rating_count),
        price_range=product.price_range,
        in_stock=product.in_stock,
    )


def picture_address(picture: UUID | None, base_url: str) -> str | None:
    """The address of the picture that stands beside a cart's or an order's line."""
    return None if picture is None else content_url(picture, "small", base_url)


def rating(total: int, count: int) -> Rating:
    """The mean of `count` reviews whose stars add up to `total`, to two decimals."""
    return Rating(round(total / count, 2) if count else 0.0, count)
