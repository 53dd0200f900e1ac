"""Carts: lines at the price that the buyer was shown, with today's warnings.

A cart that nobody touches goes: its one due message is set when the cart is made and
again when it comes too early, so that no change of a cart writes a timer.
"""

from collections.abc import Iterable, Sequence
from datetime import timedelta

from msgspec.structs import replace

from actors.kit.domain import handles, handles_many
from actors.kit.process import Run
from actors.orders.replicating import Replicating
from bus.inventory import GetAvailability
from bus.kit.refusals import Refusal, invalid, not_found, stale
from bus.kit.values import Done
from bus.orders import (
    LINES_MAX,
    QUANTITY_MAX,
    AddToCart,
    CartLine,
    CartView,
    ClearCart,
    GetCart,
    RemoveFromCart,
    SetCartLine,
)
from bus.orders.carts import ExpireCart, LineOffer, PutLine, TakeLines
from bus.orders.replica import Goods, KnownOffer, ReadGoods
from bus.orders.steps import ReadCart
from persistence import orders as store
from persistence.kit.database import Db
from persistence.kit.transaction import Tx
from persistence.orders import Cart

PERSON_CHARACTERS = 36  # a user's id; a guest cart's has 64
MERGES_DAYS_MAX = 30
ORDERING_HOURS = 1

# --- decisions ---------------------------------------------------------------


def warned(cart: Cart, offers: Iterable[LineOffer], currency: str) -> CartView:
    """The cart with what has changed since its lines were shown."""
    by_sku = {offer.sku: offer for offer in offers}
    lines = tuple(_warned(line, by_sku.get(line.sku)) for line in cart.lines)
    return replace(cart, lines=lines).view(currency)


def _warned(line: CartLine, offer: LineOffer | None) -> CartLine:
    if offer is None:
        return replace(line, warnings=("unavailable",))
    price = offer.price if offer.price != line.unit_price else None
    short = offer.available if offer.available < line.quantity else None
    warnings = ["price-changed"] if price else []
    if short is not None:
        warnings.append("short-stock" if short > 0 else "out-of-stock")
    return replace(line, warnings=tuple(warnings), current_price=price, available=short)


def newest(
    offers: Iterable[LineOffer], known: Iterable[KnownOffer] = ()
) -> tuple[LineOffer, ...]:
    """What is on sale, each in the later of the version that was seen and the known.

    A step may come after one that saw more: what it writes is not older for that.
    """
    later = {each.sku: each for each in known}
    found = (
        line_offer(later[offer.sku], offer.available)
        if offer.sku in later and later[offer.sku].version > offer.version
        else offer
        for offer in offers
    )
    return tuple(offer for offer in found if offer.on_sale)


def line_offer(known: KnownOffer, available: int) -> LineOffer:
    """What is known of a SKU, and how many pieces there are."""
    return LineOffer(
        sku=known.sku,
        product_id=str(known.product_id),
        name=known.name,
        options=known.options,
        price=known.price,
        available=available,
        version=known.version,
        on_sale=known.on_sale,
    )


def put_line(cart: Cart, m: PutLine, offers: Iterable[LineOffer]) -> Cart | Refusal:
    """The cart with one line more, or another quantity of it."""
    if m.version not in (None, cart.version):
        return stale()
    offer = next((one for one in offers if one.sku == m.sku), None)
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
    lines = tuple(before.values())
    return replace(cart, lines=lines, state="OPEN", version=cart.version + 1)


# --- handlers ----------------------------------------------------------------


class Carts(Replicating):
    """What a buyer does before an order."""

    @handles(AddToCart)
    async def add_to_cart(self, run: Run, m: AddToCart) -> CartView:
        """Add pieces at today's price."""
        offers = await self._offers(run, await self._goods(run, m.buyer, m.sku))
        return await run.settle(
            PutLine(
                buyer=m.buyer, sku=m.sku, quantity=m.quantity, add=True, offers=offers
            )
        )

    @handles(SetCartLine)
    async def set_cart_line(self, run: Run, m: SetCartLine) -> CartView:
        """Make a line exactly so many pieces."""
        offers = await self._offers(run, await self._goods(run, m.buyer, m.sku))
        return await run.settle(
            PutLine(
                buyer=m.buyer,
                sku=m.sku,
                quantity=m.quantity,
                add=False,
                offers=offers,
                version=m.version,
            )
        )

    @handles_many(PutLine)
    async def put_line(
        self, tx: Tx, messages: Sequence[PutLine]
    ) -> list[CartView | Refusal]:
        """Write lines, a round at once; several of one cart one after another."""
        carts = await store.load_carts(tx, {m.buyer for m in messages})
        before = dict(carts)
        known = await self._known_of(tx, messages)
        answers: list[CartView | Refusal] = []
        for m in messages:
            offers = newest(m.offers, known)
            after = put_line(carts[m.buyer], m, offers)
            if isinstance(after, Cart):
                after = carts[m.buyer] = after.touched(tx.now)
                answers.append(warned(after, offers, self.settings.currency))
            else:
                answers.append(after)
        if changed := [cart for key, cart in carts.items() if cart != before[key]]:
            await store.save_carts(tx, changed)
            for cart in changed:
                self._keep_for_long(tx, before[cart.buyer])
        return answers

    @handles(RemoveFromCart)
    async def remove_from_cart(self, tx: Tx, m: RemoveFromCart) -> CartView:
        """Take a line out."""
        cart = (await store.load_carts(tx, [m.buyer]))[m.buyer]
        lines = tuple(line for line in cart.lines if line.sku != m.sku)
        return await self._keep(tx, cart, lines, m.version)

    @handles(ClearCart)
    async def clear_cart(self, tx: Tx, m: ClearCart) -> CartView:
        """Take all lines out."""
        cart = (await store.load_carts(tx, [m.buyer]))[m.buyer]
        return await self._keep(tx, cart, (), m.version)

    async def _keep(
        self, tx: Tx, cart: Cart, lines: tuple[CartLine, ...], version: int | None
    ) -> CartView:
        if version not in (None, cart.version):
            raise stale()
        if lines != cart.lines:
            cart = replace(cart, lines=lines, version=cart.version + 1)
            cart = cart.touched(tx.now)
            await store.save_carts(tx, [cart])
        return cart.view(self.settings.currency)

    # --- expiry --------------------------------------------------------------

    @handles(ExpireCart)
    async def expire_cart(self, tx: Tx, m: ExpireCart) -> Done:
        """Remove the cart, if nobody has touched it since the message was written."""
        touched = await store.touched_at(tx, m.buyer)
        if touched is None:
            return Done()
        cart = (await store.load_carts(tx, [m.buyer]))[m.buyer]
        at = touched + self._cart_life(m.buyer)
        if cart.ordering is not None or cart.given is not None:
            at = max(at, tx.now + timedelta(hours=ORDERING_HOURS))
        if at > tx.now:
            tx.due(_due_name(m.buyer), at, m)
            old = tx.now - timedelta(days=MERGES_DAYS_MAX)
            await store.forget_merges(tx, m.buyer, old)
        else:
            await store.remove_cart(tx, m.buyer)
        return Done()

    def _keep_for_long(self, tx: Tx, before: Cart) -> None:
        """A cart that was just made is looked at when it may have been left."""
        if before.version == 0:
            at = tx.now + self._cart_life(before.buyer)
            tx.due(_due_name(before.buyer), at, ExpireCart(buyer=before.buyer))

    def _cart_life(self, buyer: str) -> timedelta:
        guest = len(buyer) != PERSON_CHARACTERS
        settings = self.settings
        return timedelta(days=settings.guest_cart_days if guest else settings.cart_days)

    # --- reads ---------------------------------------------------------------

    @handles_many(ReadCart)
    async def read_cart(
        self, tx: Tx, messages: Sequence[ReadCart]
    ) -> list[CartView | Refusal]:
        """The carts as they are now, without warnings."""
        carts = await store.load_carts(tx, {m.buyer for m in messages})
        return [carts[m.buyer].view(self.settings.currency) for m in messages]

    @handles(GetCart)
    async def get_cart(self, db: Db, q: GetCart) -> CartView:
        """A cart with today's warnings."""
        cart = await store.read_cart(db, q.buyer)
        if not cart.lines:
            return cart.view(self.settings.currency)
        goods = await store.read_goods(db, [line.sku for line in cart.lines])
        offers = newest(await self._offers(self, goods))
        return warned(cart, offers, self.settings.currency)

    async def _goods(self, run: Run, buyer: str, *skus: str) -> Goods:
        return (await run.step(ReadGoods(buyer=buyer, skus=skus))).goods

    async def _offers(
        self, asker: "Run | Carts", goods: Goods
    ) -> tuple[LineOffer, ...]:
        """What is known of these SKUs, confirmed, and how many pieces there are."""
        known = await self.confirmed(asker, goods)
        if not known:
            return ()
        stock = await asker.ask(GetAvailability(skus=tuple(known)))
        return tuple(
            line_offer(each, stock.available.get(each.sku, 0))
            for each in known.values()
        )

    async def _known_of(
        self, tx: Tx, messages: Iterable[PutLine | TakeLines]
    ) -> tuple[KnownOffer, ...]:
        """What is known by now of the SKUs that messages have offers of."""
        skus = {offer.sku for m in messages for offer in m.offers}
        return (await store.read_goods(tx, skus)).offers if skus else ()


def _due_name(buyer: str) -> str:
    return f"cart:{buyer}"
