"""The catalogue: products made, edited, archived, found and offered."""

from collections.abc import Sequence
from uuid import UUID

import msgspec
from msgspec import UNSET

from actors.kit.domain import Domain, handles, handles_many
from actors.products import decide, show
from actors.products.writing import Change, write_products
from bus.inventory import StockAdjusted, StockReplenished, StockSoldOut
from bus.kit.refusals import Refusal
from bus.kit.values import Done, Page
from bus.products import (
    OFFERS_MAX,
    AddVariant,
    CreateProduct,
    GetOffers,
    GetProduct,
    HangImage,
    Image,
    ListPrices,
    ListProducts,
    ListSkus,
    Offers,
    PriceHistory,
    ProductChanges,
    ProductDraft,
    ProductPage,
    ProductView,
    RemoveImage,
    RemoveVariant,
    UpdateImage,
    UpdateProduct,
    UpdateVariant,
    bad_variants,
    invalid_cursor,
    no_product,
    sku_taken,
    slug_taken,
    unknown_category,
)
from persistence.kit.claims import Claim
from persistence.kit.database import Db
from persistence.kit.transaction import Tx
from persistence.products import (
    Product,
    count_facets,
    find_prices,
    find_product,
    find_products,
    hold_categories,
    list_skus,
    load_offers,
    load_products,
    lowest_prices,
    prepare_search,
    save_stock,
)

Edit = (
    UpdateProduct
    | AddVariant
    | UpdateVariant
    | RemoveVariant
    | HangImage
    | UpdateImage
    | RemoveImage
)


def draft_claims(message: CreateProduct) -> tuple[Claim, ...]:
    """The SKUs and slugs that a new product wants for itself."""
    draft, owner = message.draft, message.product_id
    wanted = decide.slugs(draft.name, draft.slug, owner)
    return (
        *(Claim("slug", slug, owner) for slug in wanted),
        *(Claim("sku", variant.sku, owner) for variant in draft.variants),
    )


def edit_claims(message: UpdateProduct) -> tuple[Claim, ...]:
    """The SKUs and the slug that an edit wants besides."""
    changes, owner = message.changes, message.product_id
    slug = changes.slug
    slugs = () if slug is UNSET else decide.slugs("", slug, owner)
    variants = () if changes.variants is UNSET else changes.variants
    return (
        *(Claim("slug", each, owner) for each in slugs),
        *(Claim("sku", variant.sku, owner) for variant in variants),
    )


def variant_claims(message: AddVariant) -> tuple[Claim, ...]:
    """The SKU that a new variant wants."""
    return (Claim("sku", message.variant.sku, message.product_id),)


class Catalogue(Domain):
    """Everything about products but their reviews and the category tree."""

    @handles_many(CreateProduct, claims=draft_claims)
    async def create_product(
        self, tx: Tx, messages: list[CreateProduct]
    ) -> list[ProductView | Refusal]:
        """Decide each product alone, and write all of them together, insert-once."""
        known = await load_products(tx, [each.product_id for each in messages])
        named = {each.draft.category_id for each in messages} - {None}
        categories = await hold_categories(tx, [each for each in named if each])
        answers: list[Product | Refusal] = []
        for message in messages:
            try:
                product = known.get(message.product_id)
                answers.append(product or self._created(tx, message, categories))
            except Refusal as refusal:
                answers.append(refusal)
        made = [
            answer
            for answer in answers
            if isinstance(answer, Product) and answer.id not in known
        ]
        if made:
            asked = {message.product_id: message for message in reversed(messages)}
            await write_products(
                tx, [Change(None, product, asked[product.id]) for product in made]
            )
            await self._give_back_slugs(tx, messages, answers)
        return [
            self.view(each) if isinstance(each, Product) else each for each in answers
        ]

    @handles(UpdateProduct, claims=edit_claims)
    async def update_product(self, tx: Tx, message: UpdateProduct) -> ProductView:
        """Apply an edit to the version that was seen."""
        product = await self.editable(tx, message)
        return await self.save(tx, message, product, message.changes)

    @handles(AddVariant, claims=variant_claims)
    async def add_variant(self, tx: Tx, message: AddVariant) -> ProductView:
        """Add a variant."""
        product = await self.editable(tx, message)
        changes = decide.with_variant(product, message.variant, new=True)
        return await self.save(tx, message, product, changes)

    @handles(UpdateVariant)
    async def update_variant(self, tx: Tx, message: UpdateVariant) -> ProductView:
        """Rewrite a variant."""
        product = await self.editable(tx, message)
        changes = decide.with_variant(product, message.variant, new=False)
        return await self.save(tx, message, product, changes)

    @handles(RemoveVariant)
    async def remove_variant(self, tx: Tx, message: RemoveVariant) -> ProductView:
        """Take a variant off the shelf."""
        product = await self.editable(tx, message)
        changes = decide.without_variant(product, message.sku)
        return await self.save(tx, message, product, changes)

    @handles_many(GetOffers)
    async def get_offers(
        self, db: Db, queries: list[GetOffers]
    ) -> list[Offers | Refusal]:
        """What SKUs cost now, read from the rows themselves: never a moment old."""
        wanted = {sku for query in queries for sku in query.skus[:OFFERS_MAX]}
        found = await load_offers(db, sorted(wanted))
        base = self.settings.files_cdn_url
        offers = {
            sku: msgspec.structs.replace(
                offer, image=show.picture_address(picture, base)
            )
            for sku, (offer, picture) in found.items()
        }
        return [
            Offers(tuple(offers[sku] for sku in dict.fromkeys(q.skus) if sku in offers))
            if len(q.skus) <= OFFERS_MAX
            else bad_variants(f"At most {OFFERS_MAX} SKUs at once.")
            for q in queries
        ]

    @handles(ListSkus)
    async def list_skus(self, db: Db, query: ListSkus) -> Page[str]:
        """A seller's SKUs; those sold no longer are the seller's still."""
        limit = min(query.limit, OFFERS_MAX)
        skus = await list_skus(db, query.seller_id, query.after, limit)
        return Page(tuple(skus), skus[-1] if len(skus) == limit else None)

    @handles(GetProduct)
    async def get_product(self, db: Db, query: GetProduct) -> ProductView:
        """One product, by its id or its slug."""
        product = await find_product(db, _uuid(query.reference), query.reference)
        if product is None or not decide.visible(
            product, query.viewer_id, admin=query.viewer_is_admin
        ):
            raise no_product()
        return self.view(product)

    @handles(ListPrices)
    async def list_prices(self, db: Db, query: ListPrices) -> PriceHistory:
        """What a product's prices were, for its seller and administrators."""
        product = (await load_products(db, [query.product_id])).get(query.product_id)
        if product is None or query.viewer_id not in (None, product.seller_id):
            raise no_product()
        before = _price_cursor(query.cursor)
        found = await find_prices(db, product.id, before, query.limit + 1)
        page = found[: query.limit]
        cursor = f"{page[-1][0]}:{page[-1][1].sku}" if len(found) > len(page) else None
        return PriceHistory(
            items=tuple(change for _, change in page),
            lowest_price_30_days=await lowest_prices(db, product.id),
            next_cursor=cursor,
        )

    @handles(ListProducts)
    async def list_products(self, db: Db, query: ListProducts) -> ProductPage:
        """A page of what was searched for, and its facets."""
        search = await prepare_search(db, query)
        ids, cursor = await find_products(db, search)
        products = await load_products(db, ids)
        facets = await count_facets(db, search) if query.facets else None
        # A product may have been archived between the two statements.
        items = tuple(self.view(products[each]) for each in ids if each in products)
        return ProductPage(items=items, next_cursor=cursor, facets=facets)

    @handles_many(StockAdjusted)
    @handles_many(StockReplenished)
    @handles_many(StockSoldOut)
    async def note_stock(
        self, tx: Tx, events: Sequence[StockAdjusted | StockReplenished | StockSoldOut]
    ) -> list[Done]:
        """Remember of each SKU whether there is any, by its newest event."""
        known: dict[str, tuple[int, bool]] = {}
        for event in events:
            news = tx.meta(event).sequence, event.available > 0
            known[event.sku] = max(news, known.get(event.sku, news))
        await save_stock(tx, known)
        return [Done()] * len(events)

    def _created(
        self, tx: Tx, message: CreateProduct, categories: set[UUID]
    ) -> Product:
        draft, owner = message.draft, message.product_id
        self._check_skus(tx, draft, owner)
        if draft.category_id is not None and draft.category_id not in categories:
            raise unknown_category()
        choice = decide.slugs(draft.name, draft.slug, owner)
        slug = next((each for each in choice if tx.claimed("slug", each, owner)), None)
        if slug is None:
            raise slug_taken()
        product = decide.created(
            owner, message.seller_id, draft, message.images, slug, tx.now
        )
        currency = self.settings.currency
        decide.check_variants(product.options, product.variants, currency)
        return product

    def _check_skus(
        self, tx: Tx, draft: ProductDraft | ProductChanges, owner: UUID
    ) -> None:
        variants = () if draft.variants is UNSET else draft.variants
        skus = [variant.sku for variant in variants]
        if taken := [sku for sku in skus if not tx.claimed("sku", sku, owner)]:
            raise sku_taken(*taken)

    async def _give_back_slugs(
        self, tx: Tx, messages: list[CreateProduct], answers: list[Product | Refusal]
    ) -> None:
        """Of two claimed slugs only one is used."""
        unused = [
            claim
            for message, answer in zip(messages, answers, strict=True)
            if isinstance(answer, Product)
            for claim in draft_claims(message)
            if claim.kind == "slug" and claim.value != answer.slug
        ]
        if unused:
            await tx.release_claims(unused)

    async def editable(self, tx: Tx, message: Edit) -> Product:
        """The product that an edit is about; refused where it may not be."""
        found = (await load_products(tx, [message.product_id])).get(message.product_id)
        product = decide.check_editor(found, message.editor_id, message.version)
        if isinstance(message, UpdateProduct):
            self._check_skus(tx, message.changes, product.id)
            slug = message.changes.slug
            if slug is not UNSET and not tx.claimed("slug", slug, product.id):
                raise slug_taken()
        elif isinstance(message, AddVariant):
            sku = message.variant.sku
            if not tx.claimed("sku", sku, product.id):
                raise sku_taken(sku)
        return product

    async def save(
        self,
        tx: Tx,
        message: Edit,
        product: Product,
        changes: ProductChanges,
        images: tuple[Image, ...] | None = None,
    ) -> ProductView:
        """Check an edit, write it and tell of it."""
        category_id = changes.category_id
        if isinstance(category_id, UUID) and not await hold_categories(
            tx, [category_id]
        ):
            raise unknown_category()
        after = decide.changed(product, changes, tx.now)
        if images is not None:
            after = msgspec.structs.replace(after, images=images)
        decide.check_variants(after.options, after.variants, self.settings.currency)
        await write_products(tx, [Change(product, after, message)])
        return self.view(after)

    def view(self, product: Product) -> ProductView:
        """The product as the world sees it."""
        return show.shown(product, self.settings.files_cdn_url)


def _price_cursor(text: str | None) -> tuple[int, str] | None:
    if text is None:
        return None
    version, _, sku = text.partition(":")
    if not version.isdecimal() or len(version) > 9 or not sku:
        raise invalid_cursor()
    return int(version), sku


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
