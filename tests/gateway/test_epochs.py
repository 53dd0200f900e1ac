"""Ended sessions: known within a second, and never guessed."""

import asyncio
from uuid import UUID

import pytest

from tests.gateway.fakes import PERSON, SESSION, Front, Hands
from tests.gateway.test_problems import check

PATH = f"/private/{PERSON}"


async def test_a_raised_epoch_ends_older_tokens_only(front: Front) -> None:
    front.sessions.raised[PERSON] = 2
    await front.gateway.epochs.confirm()
    check(
        await front.http.get(PATH, headers=front.bearer(epoch=1)), 401, "token-revoked"
    )
    assert (await front.http.get(PATH, headers=front.bearer(epoch=2))).is_success
    # Where nobody needs to be signed in, a token that is sent must be good as well.
    answer = await front.http.get("/things/A", headers=front.bearer(epoch=1))
    check(answer, 401, "token-revoked")


async def test_an_ended_session_takes_its_own_tokens_with_it_only(front: Front) -> None:
    other = UUID("0192f0c1-0000-7000-8000-0000000000a2")
    front.sessions.ended.append(SESSION)
    await front.gateway.epochs.confirm()
    check(await front.http.get(PATH, headers=front.bearer()), 401, "token-revoked")
    headers = front.bearer(session_id=other)
    assert (await front.http.get(PATH, headers=headers)).is_success


async def test_while_the_list_is_fresh_nobody_is_asked(front: Front) -> None:
    await front.http.get(PATH, headers=front.bearer())
    assert front.sessions.checks == 0


async def test_with_an_old_list_each_token_is_checked_once_a_second(
    front: Front, clock: Hands
) -> None:
    clock.now += 1.01
    headers = front.bearer()
    answers = await asyncio.gather(
        *(front.http.get(PATH, headers=headers) for _ in range(5))
    )
    assert [answer.status_code for answer in answers] == [200] * 5
    assert front.sessions.checks == 1
    front.sessions.valid = False
    clock.now += 1.01
    check(await front.http.get(PATH, headers=headers), 401, "token-revoked")
    assert front.sessions.checks == 2


async def test_what_cannot_be_checked_is_503(front: Front, clock: Hands) -> None:
    clock.now += 1.01
    front.sessions.away = True
    check(await front.http.get(PATH, headers=front.bearer()), 503, "unavailable")
    assert (await front.http.get("/things/A")).status_code == 200


async def test_a_later_confirmation_keeps_what_was_known(front: Front) -> None:
    front.sessions.raised[PERSON] = 2
    await front.gateway.epochs.confirm()
    front.sessions.ended.append(SESSION)
    await front.gateway.epochs.confirm()
    front.sessions.raised.clear()
    front.sessions.ended.clear()
    await front.gateway.epochs.confirm()
    answer = await front.http.get(PATH, headers=front.bearer(epoch=1))
    check(answer, 401, "token-revoked")
    answer = await front.http.get(PATH, headers=front.bearer(epoch=2))
    check(answer, 401, "token-revoked")


async def test_entries_are_forgotten_when_their_tokens_have_expired(
    front: Front, clock: Hands
) -> None:
    front.sessions.raised[PERSON] = 2
    front.sessions.ended.append(SESSION)
    await front.gateway.epochs.confirm()
    front.sessions.raised.clear()
    front.sessions.ended.clear()
    clock.now += 661
    await front.gateway.epochs.confirm()
    assert (front.gateway.epochs._raised, front.gateway.epochs._ended) == ({}, {})


async def test_the_list_is_followed_and_an_event_hurries_it(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serve_app.kit.epochs.CONFIRM_SECONDS", 60)
    following = asyncio.create_task(front.gateway.epochs.follow())
    try:
        front.sessions.raised[PERSON] = 5
        front.gateway.epochs.confirm_soon()
        async with asyncio.timeout(2):
            while PERSON not in front.gateway.epochs._raised:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    finally:
        following.cancel()


async def test_following_outlives_an_absence(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serve_app.kit.epochs.CONFIRM_SECONDS", 0.01)
    front.sessions.away = True
    following = asyncio.create_task(front.gateway.epochs.follow())
    try:
        await asyncio.sleep(0.05)
        front.sessions.away = False
        front.sessions.raised[PERSON] = 5
        async with asyncio.timeout(2):
            while PERSON not in front.gateway.epochs._raised:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    finally:
        following.cancel()
