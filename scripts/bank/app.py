"""The bank's HTTP interface."""

import datetime as dt
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import msgspec
from aiohttp import web

from scripts.bank.answers import CONTENT_TYPE, Timed, answer, silence
from scripts.bank.faults import Faults, Weather
from scripts.bank.forms import (
    CaptureForm,
    ChargeForm,
    ChargeLine,
    ErrorLine,
    Forms,
    KeyForm,
    MoveLine,
    RefundForm,
    RefundLine,
    TokenForm,
    TooManyLines,
    VoidForm,
    Window,
    read_forms,
)
from scripts.bank.store import Store
from scripts.bank.tokens import card, verdict
from scripts.bank.webhooks import Settler

BODY_BYTES_MAX = 1 << 20
TRANSACTIONS_MAX = 200

_encoder = msgspec.json.Encoder()


class Bank:
    """The routes; all state is in the store, the faults aside."""

    def __init__(self, store: Store, settler: Settler) -> None:
        self._store = store
        self._settler = settler
        self._weather = Weather()

    def app(self) -> web.Application:
        """The application to serve."""
        app = web.Application(client_max_size=BODY_BYTES_MAX)
        app.router.add_post("/v1/charges", self.charges)
        app.router.add_post("/v1/authorizations", self.authorizations)
        app.router.add_post("/v1/charges/lookup", self.look_up_charges)
        for kind, form in (("capture", CaptureForm), ("void", VoidForm)):
            move = partial(self.moves, kind, form)
            app.router.add_post(f"/v1/{kind}s", move)
            look = partial(self.look_up_moves, kind)
            app.router.add_post(f"/v1/{kind}s/lookup", look)
        app.router.add_post("/v1/refunds", self.refunds)
        app.router.add_post("/v1/refunds/lookup", self.look_up_refunds)
        app.router.add_post("/v1/tokens/describe", self.describe)
        app.router.add_get("/v1/ledger", self.ledger)
        app.router.add_get("/v1/transactions", self.transactions)
        app.router.add_get("/health", self.health)
        app.router.add_get("/dev/faults", self.get_faults)
        app.router.add_put("/dev/faults", self.set_faults)
        return app

    async def charges(self, request: web.Request) -> web.StreamResponse:
        """Make charges, each once by its key, and answer each when it is known."""
        return await self._charges(request, hold=False)

    async def authorizations(self, request: web.Request) -> web.StreamResponse:
        """The same, with the money held only: it is captured, or let go, later."""
        return await self._charges(request, hold=True)

    async def _charges(self, request: web.Request, *, hold: bool) -> web.StreamResponse:
        forms = await self._forms(request, ChargeForm)
        self._strike(forms)
        asked: list[tuple[int, ChargeForm]] = forms.good
        lines: dict[str, ChargeLine] = {}
        new: set[str] = set()
        if asked:
            lines, new = await self._store.charge([f for _, f in asked], hold=hold)
        if any(lines[key].status == "pending" for key in new):
            self._settler.wake()
        good, mute = [], False
        for index, form in asked:
            line = lines[form.key]
            if not _same_charge(form, line) or line.hold is not hold:
                forms.bad.append(_reused(index, form.key))
            elif form.key in new and verdict(form.token).mute:
                mute = True
            else:
                good.append((line, form.key in new))
        return await self._answer(request, self._timed(good), forms.bad, mute=mute)

    async def look_up_charges(self, request: web.Request) -> web.StreamResponse:
        """Say again what became of charges, by their keys."""
        forms = await self._forms(request, KeyForm)
        keys = [form.key for _, form in forms.good]
        lines = await self._store.charges(keys)
        forms.bad += [_absent(i, f.key) for i, f in forms.good if f.key not in lines]
        known = [(lines[key], False) for key in keys if key in lines]
        return await self._answer(request, self._timed(known), forms.bad)

    async def refunds(self, request: web.Request) -> web.StreamResponse:
        """Make refunds, each once by its key; a rejected one is an answer too."""
        forms = await self._forms(request, RefundForm)
        self._strike(forms)
        asked: list[tuple[int, RefundForm]] = forms.good
        lines = await self._store.refund([form for _, form in asked]) if asked else {}
        good = []
        for index, form in asked:
            line = lines[form.key]
            if _same_refund(form, line):
                good.append(line)
            else:
                forms.bad.append(_reused(index, form.key))
        return await self._answer(request, self._flat(good), forms.bad)

    async def look_up_refunds(self, request: web.Request) -> web.StreamResponse:
        """Say again what became of refunds, by their keys."""
        forms = await self._forms(request, KeyForm)
        lines = await self._store.refunds([form.key for _, form in forms.good])
        forms.bad += [_absent(i, f.key) for i, f in forms.good if f.key not in lines]
        return await self._answer(request, self._flat(list(lines.values())), forms.bad)

    async def moves(
        self, kind: str, form: type[CaptureForm | VoidForm], request: web.Request
    ) -> web.StreamResponse:
        """Capture held money, or let it go; each once by its key."""
        forms = await self._forms(request, form)
        self._strike(forms)
        asked: list[tuple[int, CaptureForm | VoidForm]] = forms.good
        lines = await self._store.move(kind, [f for _, f in asked]) if asked else {}
        good = []
        for index, one in asked:
            if one.key in lines and _same_move(one, lines[one.key]):
                good.append(lines[one.key])
            else:
                forms.bad.append(_reused(index, one.key))
        return await self._answer(request, self._flat(good), forms.bad)

    async def look_up_moves(
        self, kind: str, request: web.Request
    ) -> web.StreamResponse:
        """Say again what became of captures, or of voids, by their keys."""
        forms = await self._forms(request, KeyForm)
        lines = await self._store.moves(kind, [form.key for _, form in forms.good])
        forms.bad += [_absent(i, f.key) for i, f in forms.good if f.key not in lines]
        return await self._answer(request, self._flat(list(lines.values())), forms.bad)

    async def describe(self, request: web.Request) -> web.Response:
        """What is shown of a token: brand, last four and expiry."""
        form = await _one(request, TokenForm)
        found = card(form.token)
        if found is None:
            return _json({"code": "unknown-token"}, status=404)
        return _json(found._asdict())

    async def ledger(self, request: web.Request) -> web.StreamResponse:
        """Every charge, capture, void and refund, for audits, as of one moment."""
        response = web.StreamResponse()
        response.content_type = CONTENT_TYPE
        await response.prepare(request)
        async for rows in self._store.ledger():
            await response.write(b"".join(_encoder.encode(r) + b"\n" for r in rows))
        await response.write_eof()
        return response

    async def transactions(self, request: web.Request) -> web.Response:
        """A page of the money that was moved from `since` to `until`, oldest first.

        `after` is the `place` of the last line of the page before.
        """
        if self._weather.faults.refuse:
            raise web.HTTPServiceUnavailable
        if self._weather.faults.silent:
            await silence()
        try:
            asked = msgspec.convert(dict(request.query), Window, strict=False)
        except msgspec.ValidationError as error:
            raise web.HTTPUnprocessableEntity(text=str(error)) from None
        lines = await self._store.transactions(
            asked.since, asked.until, asked.after, TRANSACTIONS_MAX
        )
        more = len(lines) == TRANSACTIONS_MAX
        return _json({"items": lines, "next": lines[-1].place if more else None})

    async def health(self, _: web.Request) -> web.Response:
        """200 while the database answers."""
        await self._store.alive()
        return _json({"status": "ok"})

    async def get_faults(self, _: web.Request) -> web.Response:
        """The faults of this moment."""
        return _json(self._weather.faults)

    async def set_faults(self, request: web.Request) -> web.Response:
        """Take other faults; an empty object ends them all."""
        self._weather.set(await _one(request, Faults))
        return _json(self._weather.faults)

    async def _forms(self, request: web.Request, form: type[msgspec.Struct]) -> Forms:
        if self._weather.faults.refuse:
            raise web.HTTPServiceUnavailable
        try:
            return read_forms(await request.read(), form)
        except TooManyLines:
            raise web.HTTPRequestEntityTooLarge(BODY_BYTES_MAX, 0) from None
        except msgspec.DecodeError as error:
            raise web.HTTPBadRequest(text=str(error)) from None

    def _strike(self, forms: Forms) -> None:
        """Move the lines that an error hits from the good ones to the bad ones."""
        good, forms.good = forms.good, []
        for index, form in good:
            if self._weather.strikes():
                error = ErrorLine(index=index, key=form.key, code="bank-error")
                forms.bad.append(error)
            else:
                forms.good.append((index, form))

    def _timed(self, lines: Sequence[tuple[ChargeLine, bool]]) -> list[Timed]:
        """Charges with the time until each is known; an old one may be known by now."""
        now = dt.datetime.now(dt.UTC)
        timed = []
        for line, new in lines:
            since = line.created_at if new else now
            own = (line.answer_at - since).total_seconds()
            delay = max(own, 0.0) + self._weather.delay_seconds(line.token)
            timed.append((delay, self._line(line)))
        return timed

    def _flat(self, lines: Sequence[RefundLine | MoveLine]) -> list[Timed]:
        delay = self._weather.delay_seconds("")
        return [(delay, self._line(line)) for line in lines]

    def _line(self, line: ChargeLine | RefundLine | MoveLine) -> bytes:
        return self._weather.spoiled(_encoder.encode(line) + b"\n", line.amount)

    async def _answer(
        self,
        request: web.Request,
        timed: list[Timed],
        bad: list[ErrorLine],
        *,
        mute: bool = False,
    ) -> web.StreamResponse:
        """Send it all; 422 where no line of the call could be acted upon."""
        faults = self._weather.faults
        if faults.silent:
            await silence()
        if faults.wrong == "status":
            raise web.HTTPInternalServerError
        timed += [(0.0, _encoder.encode(line) + b"\n") for line in bad]
        nothing = bool(bad) and len(timed) == len(bad) and not mute
        refused = nothing and all(line.code in _CLIENT_CODES for line in bad)
        return await answer(request, timed, mute=mute, status=422 if refused else 200)


_CLIENT_CODES = frozenset({"invalid-line", "idempotency-key-reused"})


def _same_charge(form: ChargeForm, line: ChargeLine) -> bool:
    """Whether a charge was asked for before with the same body."""
    fields = ("amount", "currency", "token", "order_id", "attempt")
    return all(getattr(form, name) == getattr(line, name) for name in fields)


def _same_refund(form: RefundForm, line: RefundLine) -> bool:
    fields = ("amount", "currency", "charge_key")
    return all(getattr(form, name) == getattr(line, name) for name in fields)


def _same_move(form: CaptureForm | VoidForm, line: MoveLine) -> bool:
    """Whether a move was asked for before with the same body."""
    same = form.charge_key == line.charge_key
    if isinstance(form, CaptureForm):
        return same and (form.amount, form.currency) == (line.amount, line.currency)
    return same


def _reused(index: int, key: str) -> ErrorLine:
    return ErrorLine(index=index, key=key, code="idempotency-key-reused")


def _absent(index: int, key: str) -> ErrorLine:
    return ErrorLine(index=index, key=key, status="absent", code="not-found")


async def _one(request: web.Request, form: Callable[..., Any]) -> Any:
    """The one JSON object of a body; 422 when it is not of that form."""
    try:
        return msgspec.json.decode(await request.read(), type=form)
    except msgspec.DecodeError as error:
        raise web.HTTPUnprocessableEntity(text=str(error)) from None


def _json(value: Any, status: int = 200) -> web.Response:
    body = _encoder.encode(value)
    return web.Response(body=body, status=status, content_type="application/json")
