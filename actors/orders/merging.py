"""A guest's cart becomes part of a person's: a process over two owners.

The guest cart's owner keeps the lines that it gives away until they are taken, and
gives them to the same person again and again: a crash between the two loses nothing.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from actors.kit.domain import handles
from actors.kit.process import Run
from actors.orders.carts import Carts, newest, warned
from bus.kit.addressing import new_id
from bus.kit.refusals import conflict, invalid, not_found
from bus.kit.values import Done
from bus.orders import (
    LINES_MAX,
    QUANTITY_MAX,
    CartLine,
    CartView,
    CartWarning,
    MergeCart,
)
from bus.orders.carts import (
    CloseGuestCart,
    ForgetGiven,
    GivenLines,
    LineOffer,
    SettleMerge,
    TakeLines,
)
from bus.orders.steps import ReadCart
from persistence import orders as store
from persistence.kit.transaction import Tx
from persistence.orders import Cart

# --- decisions ---------------------------------------------------------------


def take_lines(
    cart: Cart, given: Sequence[CartLine], offers: Sequence[LineOffer]
) -> tuple[Cart, tuple[CartWarning, ...]]:
    """The person's cart with a guest's lines, and what of them did not fit.

    Quantities are summed, capped by stock and limits; what the person's cart held
    before is never made less.
    """
    stock = {offer.sku: offer.available for offer in offers}
    lines = {line.sku: line for line in cart.lines}
    lost: list[CartWarning] = []
    for line in given:
        held = lines[line.sku].quantity if line.sku in lines else 0
        cap = min(QUANTITY_MAX, max(stock.get(line.sku, QUANTITY_MAX), held))
        quantity = min(held + line.quantity, cap)
        code = "quantity-capped" if quantity else "out-of-stock"
        if line.sku not in lines and len(lines) >= LINES_MAX:
            quantity, code = 0, "too-many-lines"
        if missing := held + line.quantity - quantity:
            lost.append(CartWarning(sku=line.sku, code=code, quantity=missing))
        if quantity:
            total = line.unit_price * quantity
            lines[line.sku] = replace(line, quantity=quantity, total=total)
    after = replace(cart, lines=tuple(lines.values()), version=cart.version + 1)
    return after, tuple(lost)


def with_warnings(view: CartView, lost: tuple[CartWarning, ...]) -> CartView:
    """The cart after a merge: its capped lines say so, and so does the whole."""
    capped = {one.sku for one in lost if one.code == "quantity-capped"}
    items = tuple(
        replace(line, warnings=(*line.warnings, "quantity-capped"))
        if line.sku in capped
        else line
        for line in view.items
    )
    return replace(view, items=items, warnings=lost)


# --- handlers ----------------------------------------------------------------


class Merging(Carts):
    """What happens to a guest's cart at login."""

    @handles(MergeCart)
    async def merge_cart(self, run: Run, m: MergeCart) -> CartView:
        """Begin; from here on the lines arrive, whatever dies in between."""
        if m.guest == m.buyer:
            raise invalid("same-cart", "A cart cannot be merged into itself.")
        settle = SettleMerge(buyer=m.buyer, guest=m.guest)
        await run.step(ReadCart(buyer=m.buyer), opens=settle)
        return await self.settle_merge(run, settle)

    @handles(SettleMerge)
    async def settle_merge(self, run: Run, m: SettleMerge) -> CartView:
        """Close the guest cart for this person, take its lines, let it forget them."""
        given = await run.ask(CloseGuestCart(guest=m.guest, into=m.buyer))
        goods = await self._goods(run, m.buyer, *(line.sku for line in given.lines))
        offers = await self._offers(run, goods)
        view = await run.settle(
            TakeLines(
                buyer=m.buyer,
                guest=m.guest,
                merge_id=given.merge_id,
                lines=given.lines,
                offers=offers,
            )
        )
        if given.merge_id is not None:
            await run.ask(ForgetGiven(guest=m.guest, merge_id=given.merge_id))
        return view

    @handles(CloseGuestCart)
    async def close_guest_cart(self, tx: Tx, m: CloseGuestCart) -> GivenLines:
        """OPEN → MERGED into this person; to others it does not exist any more.

        What was put into it after it was merged is another cart, by the same token.
        """
        cart = (await store.load_carts(tx, [m.guest]))[m.guest]
        gave = cart.given is not None or cart.state == "MERGED"
        if cart.version == 0 or (gave and cart.merged_into != m.into):
            raise not_found("cart")
        if cart.given is not None:
            return GivenLines(merge_id=cart.merge_id, lines=cart.given)
        if gave:
            return GivenLines(merge_id=None, lines=())
        if cart.ordering is not None:
            raise conflict("checkout-in-progress", "This cart is being ordered.")
        cart = replace(
            cart,
            lines=(),
            state="MERGED",
            merged_into=m.into,
            merge_id=new_id(m.guest),
            given=cart.lines,
            version=cart.version + 1,
        )
        await store.save_carts(tx, [cart])
        return GivenLines(merge_id=cart.merge_id, lines=cart.given or ())

    @handles(TakeLines)
    async def take_lines(self, tx: Tx, m: TakeLines) -> CartView:
        """Add the lines, insert-once by the merge."""
        cart = before = (await store.load_carts(tx, [m.buyer]))[m.buyer]
        offers = newest(m.offers, await self._known_of(tx, [m]))
        lost: tuple[CartWarning, ...] = ()
        if m.merge_id and await store.merged(tx, m.buyer, m.guest, m.merge_id):
            cart, lost = take_lines(cart.touched(tx.now), m.lines, offers)
            await store.save_carts(tx, [cart])
            self._keep_for_long(tx, before)
        return with_warnings(warned(cart, offers, self.settings.currency), lost)

    @handles(ForgetGiven)
    async def forget_given(self, tx: Tx, m: ForgetGiven) -> Done:
        """The lines have arrived."""
        cart = (await store.load_carts(tx, [m.guest]))[m.guest]
        if cart.given is not None and cart.merge_id == m.merge_id:
            await store.save_carts(tx, [replace(cart, given=None)])
        return Done()
