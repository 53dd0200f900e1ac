"""The bank alone: many charges a call, each once, each when it is known."""

import asyncio
import time
from uuid import uuid4

import aiohttp
import msgspec
import pytest

from scripts.bank.webhooks import sign
from tests.payments.support import SECRET, Bank, form, receiver, until


async def by_key(bank: Bank, path: str, body: list) -> dict[str, dict]:
    return {line["key"]: line for line in await bank.lines(path, body)}


@pytest.mark.parametrize(
    ("token", "status", "code"),
    [
        ("tok_visa", "succeeded", None),
        ("tok_mastercard", "succeeded", None),
        ("tok_paypal", "succeeded", None),
        ("tok_wallet", "succeeded", None),
        ("tok_bank", "succeeded", None),
        ("tok_declined", "declined", "card-declined"),
        ("tok_insufficient_funds", "declined", "insufficient-funds"),
        ("tok_nobody_gave_out", "declined", "invalid-token"),
    ],
)
async def test_a_token_always_ends_the_same(bank, token, status, code) -> None:
    asked = form(token)
    (line,) = await bank.lines("/v1/charges", [asked])
    assert (line["status"], line["decline_code"]) == (status, code)
    assert line["captured"] == (500 if status == "succeeded" else 0)


async def test_the_same_key_takes_the_money_once(bank) -> None:
    asked = form()
    ends = await asyncio.gather(
        *(bank.lines("/v1/charges", [asked, asked]) for _ in range(20))
    )
    references = {line["reference"] for lines in ends for line in lines}
    assert len(references) == 1
    rows = [row for row in await bank.ledger() if row["key"] == asked["key"]]
    assert [row["captured"] for row in rows] == [500]


async def test_the_same_key_with_another_body_is_refused(bank) -> None:
    asked = form()
    await bank.lines("/v1/charges", [asked])
    status, body = await bank.call("POST", "/v1/charges", [{**asked, "amount": 600}])
    assert status == 422
    assert msgspec.json.decode(body)["code"] == "idempotency-key-reused"
    rows = [row for row in await bank.ledger() if row["key"] == asked["key"]]
    assert [row["amount"] for row in rows] == [500]


async def test_a_bad_line_harms_no_other(bank) -> None:
    good, negative = form(), form(amount=-1)
    unknown = {**form(), "surprise": 1}
    body = b"\n".join(
        [b"{", *(msgspec.json.encode(line) for line in (good, negative, unknown))]
    )
    lines = await bank.lines("/v1/charges", body)
    assert [line["status"] for line in lines].count("succeeded") == 1
    assert sorted(line["index"] for line in lines if "index" in line) == [0, 2, 3]


async def test_a_json_array_is_read_as_lines(bank) -> None:
    body = msgspec.json.encode([form(), form("tok_declined")])
    lines = await bank.lines("/v1/charges", body)
    assert sorted(line["status"] for line in lines) == ["declined", "succeeded"]


async def test_a_slow_charge_delays_no_other_of_its_call(bank) -> None:
    slow, fast = form("tok_slow_1500"), form("tok_slow_10")
    body = b"\n".join(map(msgspec.json.encode, (slow, fast, form())))
    seen: dict[str, float] = {}
    begin = time.monotonic()
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{bank.url}/v1/charges", data=body) as response,
    ):
        async for raw in response.content:
            seen[msgspec.json.decode(raw)["key"]] = time.monotonic() - begin
    assert seen[fast["key"]] < 0.7
    assert seen[slow["key"]] >= 1.4


async def test_a_timeout_takes_the_money_and_tells_when_asked_again(bank) -> None:
    asked, other = form("tok_timeout"), form()
    body = b"\n".join(map(msgspec.json.encode, (asked, other)))
    seen: list[str] = []

    async def listen() -> None:
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{bank.url}/v1/charges", data=body) as response,
        ):
            async for raw in response.content:
                seen.extend([msgspec.json.decode(raw)["key"]])

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(listen(), 0.7)
    assert seen == [other["key"]]
    (line,) = await bank.lines("/v1/charges/lookup", [{"key": asked["key"]}])
    assert (line["status"], line["captured"]) == ("succeeded", 500)
    (again,) = await bank.lines("/v1/charges", [asked])
    assert again["reference"] == line["reference"]


async def test_what_was_never_asked_is_absent(bank) -> None:
    (line,) = await bank.lines("/v1/charges/lookup", [{"key": "never"}])
    assert line["status"] == "absent"
    (line,) = await bank.lines("/v1/refunds/lookup", [{"key": "never"}])
    assert line["status"] == "absent"


async def test_refunds_never_pass_what_was_captured(bank) -> None:
    asked = form()
    await bank.lines("/v1/charges", [asked])
    refunds = [
        {"key": str(uuid4()), "charge_key": asked["key"], "amount": 200, **USD}
        for _ in range(5)
    ]
    await asyncio.gather(*(bank.lines("/v1/refunds", [r]) for r in refunds))
    lines = await by_key(bank, "/v1/refunds", refunds)
    statuses = [line["status"] for line in lines.values()]
    assert (statuses.count("succeeded"), statuses.count("rejected")) == (2, 3)
    charge = next(r for r in await bank.ledger() if r["key"] == asked["key"])
    assert (charge["captured"], charge["refunded"]) == (500, 400)


USD = {"currency": "USD"}


async def test_a_declined_or_unknown_charge_gives_nothing_back(bank) -> None:
    asked = form("tok_declined")
    await bank.lines("/v1/charges", [asked])
    for charge_key, code in (
        (asked["key"], "refund-exceeds-capture"),
        ("never", "charge-not-found"),
    ):
        refund = {"key": str(uuid4()), "charge_key": charge_key, "amount": 1, **USD}
        (line,) = await bank.lines("/v1/refunds", [refund])
        assert (line["status"], line["reason_code"]) == ("rejected", code)


async def test_a_pending_charge_is_settled_by_a_signed_webhook(bank) -> None:
    asked = form("tok_pending_200")
    async with receiver(bank.webhook_port, 503) as taken:
        (line,) = await bank.lines("/v1/charges", [asked])
        assert (line["status"], line["captured"]) == ("pending", 0)

        async def told_twice() -> bool:
            return sum(asked["key"].encode() in body for _, body in taken) == 2

        await until(told_twice)  # the first was refused: it comes again
    signature, body = next(w for w in taken if asked["key"].encode() in w[1])
    at = int(signature[2:].split(",")[0])
    assert sign(SECRET, body, at) == signature
    webhook = msgspec.json.decode(body)
    assert webhook["type"] == "charge.succeeded"
    assert webhook["charge"]["captured"] == 500


async def test_it_remembers_everything_after_a_kill(bank) -> None:
    asked = form()
    (before,) = await bank.lines("/v1/charges", [asked])
    bank.stop(kill=True)
    bank.start()
    await bank.ready()
    (after,) = await bank.lines("/v1/charges", [asked])
    assert after["reference"] == before["reference"]


async def test_faults_come_and_go_on_demand(bank) -> None:
    asked = form()
    await bank.faults(refuse=True)
    status, _ = await bank.call("POST", "/v1/charges", [asked])
    assert status == 503
    await bank.faults(error_rate=1.0)
    (line,) = await bank.lines("/v1/charges", [asked])
    assert line["code"] == "bank-error"
    assert all(row["key"] != asked["key"] for row in await bank.ledger())
    await bank.faults(wrong="amount")
    (line,) = await bank.lines("/v1/charges", [asked])
    assert line["amount"] == 1
    await bank.faults(silent=True)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.4):
            await bank.lines("/v1/charges", [asked])
    await bank.faults()
    (line,) = await bank.lines("/v1/charges", [asked])
    assert line["amount"] == 500


async def test_an_unknown_fault_is_refused(bank) -> None:
    status, _ = await bank.call("PUT", "/dev/faults", {"surprise": 1})
    assert status == 422


async def test_too_many_lines_are_refused_whole(bank) -> None:
    status, _ = await bank.call("POST", "/v1/charges", [form() for _ in range(1001)])
    assert status == 413
