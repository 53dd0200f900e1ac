"""Loads the demo shop into an empty store; a second time changes nothing."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

from bus.files import StoreFile
from bus.inventory import AdjustStock, CreateWarehouse, ListWarehouses
from bus.kit.addressing import derived_id
from bus.kit.messages import encode
from bus.kit.refusals import Refusal
from bus.kit.settings import Settings
from bus.products import (
    CreateCategory,
    CreateProduct,
    Image,
    ListProducts,
    ModerateReview,
    SubmitReview,
)
from bus.users import CreateAccount, GetUser, Role
from scripts.demo.drawing import draw
from scripts.demo.goods import (
    PIECES,
    Good,
    Goods,
    chance,
    command_id,
    demo_id,
    read_goods,
)
from scripts.launcher.keys import account_password

Ask = Callable[..., Awaitable[Any]]
Accounts = dict[str, dict[str, str]]

PICTURES_MAX = 8
"""Pictures under way at once, between drawing and storing."""
SECONDS_MAX = 60.0
REVIEWS_MAX = 4
LISTED_MAX = 100

PEOPLE = {
    Role.ADMIN: ("admin@souk.example", "Ada", "Keeper"),
    Role.SELLER: ("seller@souk.example", "Sam", "Weaver"),
    Role.CUSTOMER: ("customer@souk.example", "Cleo", "Walker"),
}
WORDS = {
    5: ("Exactly right", "Better than I had hoped, and it came the next day."),
    4: ("Very good", "Well made. One star less for the much too large box."),
    3: ("Fine", "Does what it says, no more and no less."),
    2: ("Not for me", "The colour is another one than in the picture."),
}
STARS = (5, 5, 5, 4, 4, 3, 2)

# What a second loading may meet of the first one.
ALREADY = {"review-exists", "warehouse-code-taken"}


async def load(settings: Settings, ask: Ask | None = None) -> Accounts:
    """Load the demo shop, unless it is there, or the store has goods of its own.

    Returns the accounts by role with `email` and `password`; none where the store
    was not the demo's to fill. Killed half-way, it may be called again: every id is
    derived, and the customer's account is made last, when all else is in.
    """
    if ask is None:
        from actors.kit.reach import connect  # noqa: PLC0415 - it brings Ray

        ask = connect(settings).ask
    goods = read_goods(settings.currency)
    if await _is_loaded(ask):
        return _accounts(settings)
    if not await _is_ours(ask, goods):
        return {}
    accounts = _accounts(settings)
    await asyncio.gather(
        _load_accounts(ask, accounts, (Role.ADMIN, Role.SELLER)),
        _load_goods(ask, goods),
        _load_stock(ask, goods),
        _load_pictures(ask, goods),
    )
    await _load_accounts(ask, accounts, (Role.CUSTOMER,))
    return accounts


async def _is_loaded(ask: Ask) -> bool:
    try:
        await ask(GetUser(user_id=_user(Role.CUSTOMER)))
    except Refusal:
        return False
    return True


async def _is_ours(ask: Ask, goods: Goods) -> bool:
    """Whether nothing is for sale but what an earlier loading has left."""
    page = await ask(ListProducts(limit=LISTED_MAX, with_drafts=True))
    return {item.id for item in page.items} <= {good.id for good in goods.goods}


async def _load_accounts(ask: Ask, accounts: Accounts, roles: Iterable[Role]) -> None:
    await asyncio.gather(
        *(
            ask(
                CreateAccount(
                    user_id=_user(role),
                    email=accounts[role.lower()]["email"],
                    password=accounts[role.lower()]["password"],
                    first_name=PEOPLE[role][1],
                    last_name=PEOPLE[role][2],
                    role=role,
                ),
                timeout_seconds=SECONDS_MAX,
            )
            for role in roles
        )
    )


async def _load_goods(ask: Ask, goods: Goods) -> None:
    """Categories level by level, then all products, then what people think of them."""
    for depth in sorted({place.depth for place in goods.places}):
        await asyncio.gather(
            *(
                _once(ask, CreateCategory(category_id=place.id, draft=place.draft))
                for place in goods.places
                if place.depth == depth
            )
        )
    await asyncio.gather(*(_load_good(ask, good) for good in goods.goods))


async def _load_good(ask: Ask, good: Good) -> None:
    """A product; every second one is the seller's, the others the shop's own."""
    own = chance(f"seller:{good.draft.slug}", 2)
    await _once(
        ask,
        CreateProduct(
            product_id=good.id,
            seller_id=_user(Role.SELLER) if own else None,
            draft=good.draft,
            images=(Image(good.picture_id, good.draft.name),),
        ),
    )
    count = chance(f"reviews:{good.draft.slug}", REVIEWS_MAX + 1)
    await asyncio.gather(*(_load_review(ask, good, each) for each in range(count)))


async def _load_review(ask: Ask, good: Good, number: int) -> None:
    purpose = f"review:{good.draft.slug}:{number}"
    stars = STARS[chance(purpose, len(STARS))]
    title, comment = WORDS[stars]
    review_id = derived_id(good.id, purpose, good.id)
    review = SubmitReview(
        product_id=good.id,
        review_id=review_id,
        user_id=demo_id(f"reviewer:{number}"),
        rating=stars,
        title=title,
        comment=comment,
    )
    await _once(ask, review)
    await _once(
        ask,
        ModerateReview(
            review_id=review_id, moderator_id=_user(Role.ADMIN), status="APPROVED"
        ),
    )


async def _load_stock(ask: Ask, goods: Goods) -> None:
    """A second warehouse, and pieces of every SKU in both."""
    east = demo_id("warehouse:EAST")
    await _once(
        ask,
        CreateWarehouse(
            warehouse_id=east, code="EAST", name="East warehouse", priority=20
        ),
    )
    warehouses = [each.id for each in (await ask(ListWarehouses())).items]
    skus = [variant.sku for good in goods.goods for variant in good.draft.variants]
    await asyncio.gather(
        *(
            _once(
                ask,
                AdjustStock(
                    sku=sku,
                    warehouse_id=warehouse,
                    on_hand=PIECES[chance(f"pieces:{sku}:{warehouse}", len(PIECES))],
                    reason="demo shop",
                ),
            )
            for sku in skus
            for warehouse in warehouses
        )
    )


async def _load_pictures(ask: Ask, goods: Goods) -> None:
    """Draw each product in a thread, while files renders those drawn before."""
    places = asyncio.Semaphore(PICTURES_MAX)
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(os.cpu_count()) as threads:

        async def load_picture(good: Good) -> None:
            async with places:
                data = await loop.run_in_executor(threads, draw, good)
                picture = StoreFile(
                    file_id=good.picture_id,
                    owner_id=None,
                    entity_type="product",
                    entity_id=str(good.id),
                    data=data,
                )
                await ask(picture, timeout_seconds=SECONDS_MAX)

        await asyncio.gather(*(load_picture(good) for good in goods.goods))


async def _once(ask: Ask, message: Any) -> None:
    """Ask under the message's own id; what an earlier loading did is fine."""
    id_ = command_id(f"{message.kind()}:{encode(message).hex()}")
    try:
        await ask(message, id=id_, timeout_seconds=SECONDS_MAX)
    except Refusal as refusal:
        if refusal.code not in ALREADY:
            raise


def _accounts(settings: Settings) -> Accounts:
    """The three accounts.

    Their passwords follow from the shop's own secret, so they are known again after a
    kill.
    """
    accounts = {
        role.lower(): {
            "email": email,
            "password": account_password(settings, f"demo:{role}"),
        }
        for role, (email, *_) in PEOPLE.items()
    }
    if settings.admin_email:
        accounts["admin"]["email"] = settings.admin_email
    if settings.admin_password:
        accounts["admin"]["password"] = settings.admin_password
    return accounts


def _user(role: Role) -> UUID:
    return demo_id(f"user:{role}")
