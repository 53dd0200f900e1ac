"""A gateway for tests: real routes and layers, hand-made domains behind them."""

import base64
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx

from bus.inventory import AdjustStock, GetStock, ListLowStock, StockAdjusted, StockView
from bus.kit.refusals import Unavailable
from bus.kit.settings import Settings
from bus.kit.values import Page
from serve_app.app import build
from serve_app.kit.bodies import AddressBody, Body, Line, MoneyBody, Quantity, Sku
from serve_app.kit.edge import Edge
from serve_app.kit.epochs import Raised
from serve_app.kit.gateway import Gateway
from serve_app.kit.identity import Identity
from serve_app.kit.routing import (
    ADMIN,
    PUBLIC,
    SELLER,
    SIGNED_IN,
    Answer,
    Caller,
    ExpectedVersion,
    Near,
    Pages,
    Router,
    accepted,
    ask,
    created,
)

SEED = base64.urlsafe_b64encode(b"s" * 32).decode()
OTHER_SEED = base64.urlsafe_b64encode(b"o" * 32).decode()
PERSON = UUID("0192f0c1-0000-7000-8000-000000000001")
SESSION = UUID("0192f0c1-0000-7000-8000-0000000000a1")


class FakeAsker:
    """Answers as it is told, and remembers what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[type, Any] = {}
        self.asked: list[tuple[Any, dict[str, Any]]] = []
        self.parts: dict[str, dict[str, bool]] = {
            "orders": {"pool": True, "database": True}
        }

    async def ask(self, message: Any, **options: Any) -> Any:
        self.asked.append((message, options))
        answer = self.answers[type(message)]
        if callable(answer):
            answer = answer(message)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def health(self) -> Mapping[str, Mapping[str, bool]]:
        return self.parts


class FakeSessions:
    """The epochs that were raised, the sessions that ended; it can be away."""

    def __init__(self) -> None:
        self.raised: dict[UUID, int] = {}
        self.ended: list[UUID] = []
        self.away = False
        self.valid = True
        self.checks = 0

    async def list_raised(self, since: datetime) -> Raised:
        if self.away:
            raise Unavailable("users")
        return Raised(dict(self.raised), tuple(self.ended), since)

    async def is_valid(self, identity: Identity) -> bool:
        assert identity.user_id == PERSON
        self.checks += 1
        if self.away:
            raise Unavailable("users")
        return self.valid


class Hands:
    """A clock that moves when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class ThingBody(Body):
    """A body with one of everything."""

    name: Line
    quantity: Quantity
    price: MoneyBody
    id: UUID
    address: AddressBody | None = None
    skus: tuple[Sku, ...] = ()


def routes() -> Router:
    """Routes of all kinds on messages of inventory."""
    router = Router("trial")

    @router.get("/things/{sku}", access=PUBLIC, near=Near(1.0, lambda v: (v.sku,)))
    async def get_thing(sku: str) -> StockView:
        """Get one."""
        return await ask(GetStock(sku=sku))

    @router.get("/private/{thing_id}", access=SIGNED_IN)
    async def get_private(thing_id: UUID, caller: Caller) -> StockView:
        """Get one's own."""
        assert thing_id == caller.person
        return StockView(sku=str(thing_id), available=1, version=7)

    @router.get("/things", access=SELLER)
    async def list_things(pages: Pages) -> Page[StockView]:
        """List them."""
        return await ask(ListLowStock(limit=pages.limit, cursor=pages.cursor))

    @router.post("/things", access=PUBLIC, idempotent=True, status=201)
    async def make_thing(body: ThingBody, caller: Caller) -> Answer[StockView]:
        """Make one."""
        view = await ask(_adjust(body), id=caller.command_id())
        return created(view, f"/things/{view.sku}")

    @router.post("/forgetful", access=PUBLIC, idempotent=True)
    async def forget_key() -> StockView:
        """Ask without the command's id, which is a bug."""
        return await ask(GetStock(sku="A"))

    @router.post("/later", access=PUBLIC, status=202)
    async def later(body: ThingBody | None) -> Answer[None]:
        """Begin something."""
        assert body is None
        return accepted()

    @router.put("/things/{sku}", access=ADMIN)
    async def set_thing(
        sku: str, body: ThingBody, version: ExpectedVersion
    ) -> StockView:
        """Set one."""
        return StockView(sku=sku, available=version or 0, version=body.quantity)

    @router.delete("/things/{sku}", access=SIGNED_IN)
    async def remove_thing(sku: str) -> None:
        """Remove one."""

    router.forgets(StockAdjusted, lambda told: (told.sku,))
    return router


def _adjust(body: ThingBody) -> AdjustStock:
    return AdjustStock(
        sku="A", warehouse_id=None, delta=body.quantity, reason="count", actor_id=PERSON
    )


class Front:
    """The whole gateway under test."""

    def __init__(
        self, folder: Path, clock: Callable[[], float], **settings: Any
    ) -> None:
        self.asker = FakeAsker()
        self.sessions = FakeSessions()
        self.gateway = Gateway.of(
            Settings(data_dir=folder, **{"jwt_keys": SEED, **settings}),
            self.asker,
            self.sessions,
        )
        self.gateway.bus_connected = lambda: True
        self.gateway.near._clock = clock
        self.gateway.epochs._clock = clock
        app = build(self.gateway, [routes()])
        assert isinstance(app, Edge)
        self.edge = app
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.edge), base_url="http://shop"
        )

    def bearer(
        self, role: str = "CUSTOMER", epoch: int = 1, session_id: UUID = SESSION
    ) -> dict[str, str]:
        """The header of a signed-in person."""
        token = self.gateway.tokens.sign(PERSON, role, epoch, session_id)
        return {"Authorization": f"Bearer {token}"}
