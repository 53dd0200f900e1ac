"""Request and reply over NATS: strict, once by key, one answer, discoverable."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Annotated, Any
from uuid import uuid4

import msgspec
import nats
import pytest
import structlog

from bus.kit import services
from bus.kit.bridge import Bridge
from bus.kit.values import Value
from tests.kit.faults import caller, journal, names, until
from tests.kit.toy import BEGUN, Balk, Jot, Look, Spoil, Stall, Stroll, close_gate

REPLY_SECONDS_MAX = 8.0
Key = Annotated[str, msgspec.Meta(min_length=16, max_length=64)]


class JotRequest(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Jot something down."""

    name: str
    what: str = "jotted"
    idempotency_key: Key | None = None

    def to_message(self) -> Jot:
        return Jot(name=self.name, what=self.what)


class StrollRequest(JotRequest, frozen=True, kw_only=True):
    """The same by a process."""

    def to_message(self) -> Stroll:
        return Stroll(name=self.name, what=self.what)


class LookRequest(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Count the notes of a name."""

    name: str

    def to_message(self) -> Look:
        return Look(name=self.name)


class BalkRequest(LookRequest, frozen=True, kw_only=True):
    """Be refused."""

    def to_message(self) -> Balk:
        return Balk(name=self.name)


class SpoilRequest(LookRequest, frozen=True, kw_only=True):
    """Break."""

    def to_message(self) -> Spoil:
        return Spoil(name=self.name)


class StallRequest(LookRequest, frozen=True, kw_only=True):
    """Hold a transaction open."""

    idempotency_key: Key | None = None

    def to_message(self) -> Stall:
        return Stall(name=self.name)


FORMS = {
    "toys.stall": StallRequest,
    "toy.jot": JotRequest,
    "toy.stroll": StrollRequest,
    "toy.look": LookRequest,
    "toys.balk": BalkRequest,
    "toys.spoil": SpoilRequest,
}


@asynccontextmanager
async def served(s: Any, server: Any, bridges: int = 1) -> AsyncIterator[Any]:
    """A client, and bridges that answer it."""
    async with AsyncExitStack() as stack:
        for number in range(bridges):
            bridge = Bridge(
                server.url(),
                caller(s),
                name=f"bridge/{number}",
                consumers={},
                services=FORMS,
                log=structlog.get_logger("bridge"),
            )
            await bridge.start()
            stack.push_async_callback(bridge.stop)
        client = await nats.connect(server.url())
        stack.push_async_callback(client.close)
        yield client


async def request(client: Any, subject: str, **body: Any) -> tuple[dict, dict]:
    """What a service answers, and its headers; they must agree on errors."""
    data = json.dumps(body).encode()
    message = await client.request(subject, data, timeout=REPLY_SECONDS_MAX)
    return json.loads(message.data), dict(message.headers or {})


async def code(client: Any, subject: str, **body: Any) -> tuple[int, str]:
    """The status and the code of the problem that a request is answered with."""
    said, headers = await request(client, subject, **body)
    assert headers == {
        "Nats-Service-Error": said["code"],
        "Nats-Service-Error-Code": str(said["status"]),
    }
    assert said["type"] == f"urn:souk:problem:{said['code']}"
    assert said["request_id"]
    return said["status"], said["code"]


@pytest.mark.parametrize("subject", ["toy.jot", "toy.stroll"])
async def test_a_key_acts_once_and_takes_no_other_body(
    toys, nats_server, subject
) -> None:
    """Also after a restart of the bridge, and of the shard."""
    async with toys() as s:
        name, key = names(0)[0], uuid4().hex
        body = {"name": name, "what": "one", "idempotency_key": key}
        async with served(s, nats_server) as client:
            first = await request(client, subject, **body)
            assert first == ({}, {})
            assert await request(client, subject, **body) == first
        await s.kill("toy", 0)
        await s.restart("toy", 0)
        async with served(s, nats_server) as client:
            backwards = dict(reversed(body.items()))
            assert await request(client, subject, **backwards) == first
            for other in ({"what": "two"}, {"name": names(1)[0]}):
                assert await code(client, subject, **{**body, **other}) == (
                    422,
                    "idempotency-key-reused",
                )
            assert await journal(s) == [(name, "one")]
            await request(client, subject, **{**body, "idempotency_key": uuid4().hex})
            assert await journal(s) == [(name, "one")] * 2


async def test_a_key_counts_for_its_subject(toys, nats_server) -> None:
    async with toys() as s, served(s, nats_server) as client:
        body = {"name": "n", "idempotency_key": uuid4().hex}
        for subject in ("toy.jot", "toy.stroll"):
            assert await request(client, subject, **body) == ({}, {})
        assert len(await journal(s)) == 2


@pytest.mark.parametrize("subject", ["toy.jot", "toy.stroll"])
async def test_overlapping_requests_of_one_key_act_once(
    toys, nats_server, subject
) -> None:
    async with toys() as s, served(s, nats_server, bridges=3) as client:
        body = {"name": "n", "idempotency_key": uuid4().hex}
        answers = await asyncio.gather(
            *(request(client, subject, **body) for _ in range(30))
        )
        assert answers == [({}, {})] * 30
        assert await journal(s) == [("n", "jotted")]


async def test_two_bodies_of_one_key_at_once_are_one_request(toys, nats_server) -> None:
    """On two shards, whose transactions overlap: the later commit is undone."""
    async with toys() as s, served(s, nats_server) as client:
        key = {"idempotency_key": uuid4().hex}
        held, quick = names(0)[0], names(1)[0]
        gate = close_gate(f"stall:{held}")
        waiting = asyncio.create_task(code(client, "toys.stall", name=held, **key))
        await until(lambda: f"stall:{held}" in BEGUN)
        assert await request(client, "toys.stall", name=quick, **key) == ({}, {})
        gate.set()
        assert await waiting == (422, "idempotency-key-reused")
        assert await journal(s) == [(quick, "stalled")]


async def test_without_a_key_each_request_acts(toys, nats_server) -> None:
    async with toys() as s, served(s, nats_server) as client:
        for _ in range(2):
            await request(client, "toy.jot", name="n")
        assert await journal(s) == [("n", "jotted")] * 2


async def test_several_bridges_answer_each_request_once(toys, nats_server) -> None:
    async with toys() as s, served(s, nats_server, bridges=3) as client:
        inbox = client.new_inbox()
        replies = await client.subscribe(inbox)
        for _ in range(20):
            await client.publish("toy.jot", b'{"name":"n"}', reply=inbox)
        for _ in range(20):
            assert (await replies.next_msg(REPLY_SECONDS_MAX)).data == b"{}"
        with pytest.raises(nats.errors.TimeoutError):
            await replies.next_msg(0.2)
        assert len(await journal(s)) == 20


async def test_a_slow_request_holds_no_other_up(toys, nats_server) -> None:
    async with toys() as s, served(s, nats_server) as client:
        gate = close_gate("stroll:slow")
        slow = asyncio.create_task(request(client, "toy.stroll", name="slow"))
        await asyncio.sleep(0.1)
        assert await request(client, "toy.stroll", name="quick") == ({}, {})
        assert not slow.done()
        gate.set()
        assert await slow == ({}, {})


async def test_too_many_at_once_are_refused_and_none_hangs(
    toys, nats_server, monkeypatch
) -> None:
    monkeypatch.setattr(services, "REQUESTS_MAX", 2)
    async with toys() as s, served(s, nats_server) as client:
        gate = close_gate("stroll:slow")
        waiting = [
            asyncio.create_task(request(client, "toy.stroll", name="slow"))
            for _ in range(2)
        ]
        await asyncio.sleep(0.1)
        assert await code(client, "toy.jot", name="n") == (503, "unavailable")
        gate.set()
        assert await asyncio.gather(*waiting) == [({}, {})] * 2
        assert await request(client, "toy.jot", name="n") == ({}, {})


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (b"", "name"),
        (b"no json", ""),
        (b"[]", ""),
        (b'{"name": 5}', "name"),
        (b'{"name": "n", "more": 1}', "more"),
        (b'{"name": "n", "what": "a\\u0000b"}', ""),
        (b'{"name": "\\ud800"}', ""),
        (b'{"name": "n", "idempotency_key": "short"}', "idempotency_key"),
        (b"[" * 100_000, ""),
        (b'{"name": "' + b"n" * 300_000 + b'"}', ""),
    ],
    ids=range(10),
)
async def test_a_bad_body_is_refused_and_changes_nothing(
    toys, nats_server, data, field
) -> None:
    async with toys() as s, served(s, nats_server) as client:
        message = await client.request("toy.jot", data, timeout=REPLY_SECONDS_MAX)
        said = json.loads(message.data)
        assert (said["status"], said["code"]) == (422, "invalid-request")
        assert [error["field"] for error in said["errors"]] == [field]
        assert message.headers["Nats-Service-Error-Code"] == "422"
        assert await journal(s) == []


async def test_refusals_and_bugs_are_problem_documents(toys, nats_server) -> None:
    async with toys() as s, served(s, nats_server) as client:
        assert await code(client, "toys.balk", name="n") == (409, "balked")
        assert await code(client, "toys.spoil", name="n") == (500, "internal-error")
        headers = {"X-Request-Id": "request-0815"}
        message = await client.request("toys.balk", b'{"name":"n"}', headers=headers)
        assert json.loads(message.data)["request_id"] == "request-0815"


async def test_services_are_found_and_say_what_they_take(toys, nats_server) -> None:
    async with toys() as s, served(s, nats_server) as client:
        await request(client, "toy.jot", name="n")
        await code(client, "toys.balk", name="n")
        for verb in ("PING", "INFO", "STATS"):
            message = await client.request(f"$SRV.{verb}.toy", timeout=2)
            assert json.loads(message.data)["version"] == services.VERSION
        info = json.loads((await client.request("$SRV.INFO.toy", timeout=2)).data)
        endpoints = {one["subject"]: one for one in info["endpoints"]}
        assert sorted(endpoints) == ["toy.jot", "toy.look", "toy.stroll"]
        jot = endpoints["toy.jot"]
        assert (jot["name"], jot["queue_group"]) == ("jot", "q")
        form = json.loads(jot["metadata"]["request"])["$defs"]["JotRequest"]
        assert form["required"] == ["name"]
        assert form["additionalProperties"] is False
        assert json.loads(jot["metadata"]["reply"])
        stats = json.loads((await client.request("$SRV.STATS.toys", timeout=2)).data)
        balk = next(one for one in stats["endpoints"] if one["name"] == "balk")
        assert (balk["num_requests"], balk["num_errors"]) == (1, 1)
        assert balk["last_error"] == "balked"
        assert balk["processing_time"] > 0
