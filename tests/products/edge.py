"""A shop's edge in this process: the gateway before a local shop, with tokens."""

from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx

from bus.kit.addressing import new_id
from serve_app import files, products
from serve_app.app import build
from serve_app.kit.epochs import Raised
from serve_app.kit.gateway import Gateway
from serve_app.kit.identity import Identity
from tests.kit.local import LocalShop

SEED = urlsafe_b64encode(b"a seed of exactly 32 bytes here!").decode()


class NobodyLoggedOut:
    """Sessions of a shop in which no epoch was ever raised."""

    async def list_raised(self, since: datetime) -> Raised:
        """Nothing, whatever the `since`."""
        return Raised({}, (), max(since, datetime.now(UTC)))

    async def is_valid(self, identity: Identity) -> bool:
        """Whoever has a token is let in."""
        return bool(identity.user_id)


class Client:
    """An HTTP client of one person (or of nobody) before a local shop."""

    def __init__(self, http: httpx.AsyncClient, gateway: Gateway) -> None:
        self._http = http
        self._gateway = gateway
        self.user_id: UUID | None = None
        self._headers: dict[str, str] = {}

    def signed_in(self, role: str) -> "Client":
        """The client of a new person of this role."""
        client = Client(self._http, self._gateway)
        client.user_id = new_id()
        token = self._gateway.tokens.sign(client.user_id, role, 0, new_id())
        client._headers = {"Authorization": f"Bearer {token}"}
        return client

    async def __call__(
        self, method: str, path: str, json: Any = None, **more: Any
    ) -> httpx.Response:
        """One request; `headers` in `more` come besides the person's own."""
        headers = {**self._headers, **more.pop("headers", {})}
        if json is not None:
            more["json"] = json
        return await self._http.request(method, path, headers=headers, **more)


@asynccontextmanager
async def edge_of(shop: LocalShop) -> AsyncIterator[Client]:
    """A client that is not signed in."""
    settings = shop.settings.changed(jwt_keys=SEED)
    gateway = Gateway.of(settings, shop.asker, NobodyLoggedOut())
    await gateway.epochs.confirm()
    app = build(gateway, [products.router, files.router])
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://shop") as http:
        yield Client(http, gateway)
