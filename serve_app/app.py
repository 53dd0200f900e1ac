"""The application: the table of domains' routers, put together into one gateway."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import partial
from importlib import import_module
from typing import Any

from fastapi import FastAPI
from starlette.types import ASGIApp

from bus.kit import families
from bus.kit.messages import Event
from bus.kit.refusals import Refusal, RefusalKind
from bus.kit.settings import Settings
from bus.payments import (
    ProviderFailing,
    ProviderRecovered,
    ReconciliationMismatch,
)
from bus.users import GetStanding, ListRaisedEpochs, SessionsRevoked
from serve_app.kit import sharing
from serve_app.kit.admission import admissions
from serve_app.kit.asking import Asker
from serve_app.kit.auditing import auditing
from serve_app.kit.declared import check_declared, stream_paths
from serve_app.kit.direct import direct_routes
from serve_app.kit.edge import Edge
from serve_app.kit.epochs import Raised
from serve_app.kit.failing import answer_errors
from serve_app.kit.gateway import Gateway
from serve_app.kit.hearing import Hearing
from serve_app.kit.identity import Identity
from serve_app.kit.measures import Measures
from serve_app.kit.operations import operations
from serve_app.kit.routing import Router
from serve_app.kit.segments import Segments
from serve_app.web.mailbox import mailbox
from serve_app.web.pages import pages

VERSION = "0.1.0"

ROUTERS = (
    "users",
    "products",
    "orders",
    "payments",
    "inventory",
    "notifications",
    "files",
    "messaging",
)


class UserSessions:
    """What `users` knows of sessions, as the gateway's epochs ask for it."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker

    async def list_raised(self, since: datetime) -> Raised:
        """The epochs raised and the sessions ended since then."""
        found = await self._asker.ask(ListRaisedEpochs(since=since))
        return Raised(found.epochs, found.ended_sessions, found.as_of)

    async def is_valid(self, identity: Identity) -> bool:
        """True if the session lives, and the token's epoch and role are its person's.

        The person must be active, too.
        """
        query = GetStanding(user_id=identity.user_id, session_id=identity.session_id)
        try:
            standing = await self._asker.ask(query)
        except Refusal as refusal:
            if refusal.data.kind is RefusalKind.NOT_FOUND:
                return False
            raise
        return bool(
            standing.status == "ACTIVE"
            and standing.epoch <= identity.epoch
            and standing.role == identity.role
            and standing.session_lives
        )


def gateway_of(settings: Settings, asker: Asker, replica: str) -> Gateway:
    """The gateway of this process, which knows sessions from `users`."""
    return Gateway.of(settings, asker, UserSessions(asker), replica)


def routers() -> list[Router]:
    """The routers of all domains."""
    return [import_module(f"serve_app.{name}").router for name in ROUTERS]


def application(gateway: Gateway, domains: Sequence[Router]) -> FastAPI:
    """The FastAPI application; raises RuntimeError for a route without access."""
    app = FastAPI(
        title="Souk",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    answer_errors(app)
    own = [operations(gateway), auditing(ROUTERS)]
    if gateway.settings.profile != "production":
        own.append(mailbox())
    for router in (*domains, *own, pages(app, VERSION)):
        app.router.routes.extend(router.api.routes)
        for route in router.api.routes:
            gateway.measures.domains[getattr(route, "path", "")] = router.domain
    check_declared(app.routes)
    gateway.streams.answer(app, stream_paths(app.routes))
    gateway.direct = direct_routes(app.routes)
    most = gateway.settings.gateway_ongoing_max
    gateway.admissions = admissions(app.routes, most)
    app.router.middleware_stack = Segments(app.router.routes)
    return app


def build(gateway: Gateway, domains: Sequence[Router]) -> ASGIApp:
    """The application inside the outermost layer, for one process of its own."""
    return Edge(application(gateway, domains), lambda: gateway)


def counting(
    measures: Measures,
) -> list[tuple[type[Event], Callable[[Any], None]]]:
    """The events that a shop's operator wants to see in `/metrics`."""

    def differs(told: ReconciliationMismatch) -> None:
        labels = {"provider": told.provider, "difference": told.difference.value}
        measures.count(families.MISMATCHES, **labels)

    def failing(value: int) -> Callable[[Any], None]:
        return lambda told: measures.show(
            families.PROVIDER_FAILING, value, provider=told.provider
        )

    return [
        (ReconciliationMismatch, differs),
        (ProviderFailing, failing(1)),
        (ProviderRecovered, failing(0)),
    ]


def hearing(gateway: Gateway, domains: Sequence[Router]) -> Hearing:
    """What the gateway does when it hears of an event."""
    heard = Hearing(gateway.settings, gateway.near)

    def forgetting(tags: Callable[[Any], Iterable[str]]) -> Callable[[Any], None]:
        return lambda told: gateway.near.forget(tags(told))

    def waking(kind: str, key: Callable[[Any], object]) -> Callable[[Any], None]:
        return lambda told: gateway.streams.wake(kind, key(told))

    for router in domains:
        for event, tags in router.forgetting:
            heard.on(event, forgetting(tags))
        for event, note in router.hearing:
            heard.on(event, partial(note, gateway.facts))
        for event, kind, key in router.waking:
            heard.on(event, waking(kind, key), kind=kind)
    heard.on_loss(gateway.facts.clear)
    heard.on_loss(gateway.streams.miss)
    gateway.streams.ear = heard
    heard.on_plain(sharing.SUBJECT, gateway.sharing.hear)
    heard.on(SessionsRevoked, lambda _: gateway.epochs.confirm_soon())
    for counted, call in counting(gateway.measures):
        heard.on(counted, call)
    return heard
