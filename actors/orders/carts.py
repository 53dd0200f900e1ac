"""Carts: lines at the price that the buyer was shown, with today's warnings."""

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from actors.kit.domain import Domain, handles, handles_many
from actors.kit.process import Run
from bus.inventory import GetAvailability
from bus.kit.refusals import Refusal, conflict, invalid, not_found
from bus.kit.values import Money
from bus.orders import (
    LINES_MAX,
    QUANTITY_MAX,
    AddToCart,
    CartLine,
    CartView,
    ClearCart,
    GetCart,
    MergeCart,
    RemoveFromCart,
    SetCartLine,
)
from bus.orders.carts import CloseGuestCart, LineOffer, PutLine, TakeLines
from bus.orders.steps import ReadCart
from bus.products import GetOffers
from persistence import orders as store
from persistence.kit.database import Db
from persistence.kit.transaction import Tx
from persistence.orders import Cart

# --- decisions ---------------------------------------------------------------


def warned(cart: Cart, offers: Iterable[LineOffer], currency: str) -> CartView:
    """The cart with what has changed since its lines were shown."""
    by_sku = {offer.sku: offer for offer in offers}
    lines = tuple(_warned(line, by_sku.get(line.sku)) for line in cart.lines)
    return replace(cart, lines=lines).view(currency)


def _warned(line: CartLine, offer: LineOffer | None) -> CartLine:
    if offer is None:
        return replace(line, warnings=("unavailable",))
    warnings = []
    if offer.price != line.unit_price:
        warnings.append("price-changed")
    if offer.available < line.quantity:
        warnings.append("short-stock" if offer.available > 0 else "out-of-stock")
    return replace(line, warnings=tuple(warnings))


def put_line(cart: Cart, m: PutLine) -> Cart | Refusal:
    """The cart with one line more, or another quantity of it."""
    offer = next((one for one in m.offers if one.sku == m.sku), None)
    if offer is None:
        return not_found("SKU")
    before = {line.sku: line for line in cart.lines}
    held = before[m.sku].quantity if m.add and m.sku in before else 0
    quantity = held + m.quantity
    if not 1 <= quantity <= QUANTITY_MAX or m.quantity < 1:
        return invalid("quantity-out-of-range", f"1 to {QUANTITY_MAX} pieces.")
    if m.sku not in before and len(before) >= LINES_MAX:
        return invalid("too-many-lines", f"At most {LINES_MAX} lines.")
    before[m.sku] = CartLine(
        sku=m.sku,
        product_id=offer.product_id,
        name=offer.name,
        options=offer.options,
        quantity=quantity,
        unit_price=offer.price,
        total=offer.price * quantity,
    )
    return replace(cart, lines=tuple(before.values()), version=cart.version + 1)


def take_lines(cart: Cart, m: TakeLines) -> Cart:
    """The person's cart with a guest's lines: summed, capped by stock and limits."""
    stock = {offer.sku: offer.available for offer in m.offers}
    lines = {line.sku: line for line in cart.lines}
    for line in m.lines:
        held = lines[line.sku].quantity if line.sku in lines else 0
        cap = min(QUANTITY_MAX, max(stock.get(line.sku, QUANTITY_MAX), held))
        quantity = min(held + line.quantity, cap)
        if quantity < 1 or (line.sku not in lines and len(lines) >= LINES_MAX):
            continue
        total = Money(line.unit_price.amount * quantity, line.unit_price.currency)
        lines[line.sku] = replace(line, quantity=quantity, total=total, warnings=())
    return replace(cart, lines=tuple(lines.values()), version=cart.version + 1)


# --- handlers ----------------------------------------------------------------


class Carts(Domain):
    """What a buyer does before an order."""

    @handles(AddToCart)
    async def add_to_cart(self, run: Run, m: AddToCart) -> CartView:
        """Add pieces at today's price."""
        offers = await self._offers(run, await self._skus(run, m.buyer, m.sku))
        return await run.settle(
            PutLine(
                buyer=m.buyer, sku=m.sku, quantity=m.quantity, add=True, offers=offers
            )
        )

    @handles(SetCartLine)
    async def set_cart_line(self, run: Run, m: SetCartLine) -> CartView:
        """Make a line exactly so many pieces."""
        offers = await self._offers(run, await self._skus(run, m.buyer, m.sku))
        return await run.settle(
            PutLine(
                buyer=m.buyer, sku=m.sku, quantity=m.quantity, add=False, offers=offers
            )
        )

    @handles_many(PutLine)
    async def put_line(
        self, tx: Tx, messages: Sequence[PutLine]
    ) -> list[CartView | Refusal]:
        """Write lines, a round at once; several of one cart one after another."""
        carts = await store.load_carts(tx, {m.buyer for m in messages})
        before = dict(carts)
        answers: list[CartView | Refusal] = []
        for m in messages:
            after = put_line(_open(carts[m.buyer]), m)
            if isinstance(after, Cart):
                carts[m.buyer] = after
                answers.append(warned(after, m.offers, self.settings.currency))
            else:
                answers.append(after)
        if changed := [cart for key, cart in carts.items() if cart != before[key]]:
            await store.save_carts(tx, changed)
        return answers

    @handles(RemoveFromCart)
    async def remove_from_cart(self, tx: Tx, m: RemoveFromCart) -> CartView:
        """Take a line out."""
        cart = _open((await store.load_carts(tx, [m.buyer]))[m.buyer])
        lines = tuple(line for line in cart.lines if line.sku != m.sku)
        return await self._keep(tx, cart, lines)

    @handles(ClearCart)
    async def clear_cart(self, tx: Tx, m: ClearCart) -> CartView:
        """Take all lines out."""
        cart = _open((await store.load_carts(tx, [m.buyer]))[m.buyer])
        return await self._keep(tx, cart, ())

    async def _keep(self, tx: Tx, cart: Cart, lines: tuple[CartLine, ...]) -> CartView:
        if lines != cart.lines:
            cart = replace(cart, lines=lines, version=cart.version + 1)
            await store.save_carts(tx, [cart])
        return cart.view(self.settings.currency)

    # --- merge: a process over two owners ------------------------------------

    @handles(MergeCart)
    async def merge_cart(self, run: Run, m: MergeCart) -> CartView:
        """Close the guest cart for this person, then take its lines, once.

        The guest cart gives its lines to the same person again and again, so that a
        crash between the two loses nothing; to anybody else it is not there.
        """
        if m.guest == m.buyer:
            raise invalid("same-cart", "A cart cannot be merged into itself.")
        closed = await run.ask(CloseGuestCart(guest=m.guest, into=m.buyer))
        mine = await run.step(ReadCart(buyer=m.buyer))
        skus = {line.sku for line in (*closed.items, *mine.items)}
        offers = await self._offers(run, sorted(skus)) if skus else ()
        return await run.settle(
            TakeLines(buyer=m.buyer, guest=m.guest, lines=closed.items, offers=offers)
        )

    @handles(CloseGuestCart)
    async def close_guest_cart(self, tx: Tx, m: CloseGuestCart) -> CartView:
        """OPEN → MERGED into this person; to others it does not exist any more."""
        cart = (await store.load_carts(tx, [m.guest]))[m.guest]
        if cart.version == 0 or cart.merged_into not in (None, m.into):
            raise not_found("cart")
        if cart.ordering is not None:
            raise conflict("checkout-in-progress", "This cart is being ordered.")
        if cart.state == "OPEN":
            cart = replace(cart, state="MERGED", merged_into=m.into)
            await store.save_carts(tx, [cart])
        return cart.view(self.settings.currency)

    @handles(TakeLines)
    async def take_lines(self, tx: Tx, m: TakeLines) -> CartView:
        """Add the lines, insert-once by the guest cart."""
        cart = (await store.load_carts(tx, [m.buyer]))[m.buyer]
        if await store.merged(tx, m.buyer, m.guest):
            cart = take_lines(cart, m)
            await store.save_carts(tx, [cart])
        return warned(cart, m.offers, self.settings.currency)

    # --- reads ---------------------------------------------------------------

    @handles_many(ReadCart)
    async def read_cart(
        self, tx: Tx, messages: Sequence[ReadCart]
    ) -> list[CartView | Refusal]:
        """The carts as they are now, without warnings."""
        carts = await store.load_carts(tx, {m.buyer for m in messages})
        return [_open(carts[m.buyer]).view(self.settings.currency) for m in messages]

    @handles(GetCart)
    async def get_cart(self, db: Db, q: GetCart) -> CartView:
        """A cart with today's warnings."""
        cart = _open(await store.read_cart(db, q.buyer))
        if not cart.lines:
            return cart.view(self.settings.currency)
        skus = [line.sku for line in cart.lines]
        return warned(cart, await self._offers(self, skus), self.settings.currency)

    async def _skus(self, run: Run, buyer: str, sku: str) -> list[str]:
        cart = await run.step(ReadCart(buyer=buyer))
        return sorted({sku, *(line.sku for line in cart.items)})

    async def _offers(
        self, asker: "Run | Carts", skus: Sequence[str]
    ) -> tuple[LineOffer, ...]:
        """What may be bought of these SKUs, at what price."""
        offers = await asker.ask(GetOffers(skus=tuple(skus)))
        stock = await asker.ask(GetAvailability(skus=tuple(skus)))
        return tuple(
            LineOffer(
                sku=offer.sku,
                product_id=str(offer.product_id),
                name=offer.name,
                options=offer.options,
                price=offer.price,
                available=stock.available.get(offer.sku, 0),
            )
            for offer in offers.offers
            if offer.active
        )


def _open(cart: Cart) -> Cart:
    """A cart that was merged away is an empty one to whoever still holds its token."""
    return cart if cart.state == "OPEN" else replace(cart, lines=())
