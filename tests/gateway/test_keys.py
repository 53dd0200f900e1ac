"""Signing keys that turn while replicas answer."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from bus.kit.addressing import new_id
from bus.kit.settings import Settings, SettingsError
from serve_app.kit import keys
from serve_app.kit.identity import Tokens
from serve_app.kit.keys import Keys, follow_keys, text_of
from tests.gateway.fakes import OTHER_SEED, PERSON, SEED, SESSION, Front, Hands


async def replica(folder: Path, clock: Hands) -> Front:
    """A replica whose keys are those of the file that all of them read."""
    front = Front(folder, clock, jwt_keys="", jwt_keys_file=str(folder / "keys"))
    front.gateway.tokens.keys._clock = clock
    await front.gateway.epochs.confirm()
    return front


def read(front: Front) -> None:
    """Let a replica look at the file."""
    front.gateway.tokens.keys.turn(text_of(front.gateway.settings))


def signed(front: Front) -> str:
    """A token that a replica makes now."""
    return front.gateway.tokens.sign(PERSON, "CUSTOMER", 1, SESSION)


async def statuses(token: str, *fronts: Front) -> list[int]:
    """What replicas answer to a token."""
    headers = {"Authorization": f"Bearer {token}"}
    return [
        (await front.http.get(f"/private/{PERSON}", headers=headers)).status_code
        for front in fronts
    ]


async def shown(front: Front) -> list[str]:
    """The ids of the keys that a replica publishes."""
    answer = await front.http.get("/.well-known/jwks.json")
    assert answer.headers["cache-control"] == "public, max-age=10"
    found: dict[str, Any] = answer.json()
    return [key["kid"] for key in found["keys"]]


async def test_a_key_turns_on_two_replicas_without_a_failed_request(
    tmp_path: Path, clock: Hands
) -> None:
    file = tmp_path / "keys"
    file.write_text(SEED)
    one, two = await replica(tmp_path, clock), await replica(tmp_path, clock)
    (old_id,) = await shown(one)
    tokens = [signed(one)]

    file.write_text(f"{OTHER_SEED},{SEED}\n")
    read(one)  # the other has not looked yet
    tokens += [signed(one), signed(two)]
    assert [await statuses(each, one, two) for each in tokens] == [[200, 200]] * 3
    read(two)
    new_id_, second = await shown(two)
    assert (second, await shown(one)) == (old_id, [new_id_, old_id])

    clock.now += keys.SETTLE_SECONDS
    await one.gateway.epochs.confirm()
    await two.gateway.epochs.confirm()
    tokens += [signed(one), signed(two)]
    assert one.gateway.tokens.keys.signing()[0] == new_id_
    assert [await statuses(each, one, two) for each in tokens] == [[200, 200]] * 5

    file.write_text(OTHER_SEED)  # when the last old token has expired
    read(one)
    read(two)
    assert [await statuses(each, one, two) for each in tokens] == [
        *[[401, 401]] * 3,
        *[[200, 200]] * 2,
    ]
    for front in (one, two):
        await front.http.aclose()


def test_a_signing_key_that_is_taken_away_signs_no_more() -> None:
    turning = Keys(f"{SEED},{OTHER_SEED}", clock=lambda: 0.0)
    turning.turn(OTHER_SEED)
    assert turning.signing()[0] == turning.jwks()["keys"][0]["kid"]


async def test_a_file_that_cannot_be_read_leaves_the_keys_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "LOOK_SECONDS", 0.01)
    file = tmp_path / "keys"
    file.write_text(SEED)
    settings = Settings(data_dir=tmp_path, jwt_keys_file=str(file))
    turning = Keys.of(settings)
    (known,) = turning.jwks()["keys"]
    following = asyncio.create_task(follow_keys(turning, settings))
    for bad in ("", "short", "Ω"):
        file.write_text(bad)
        await asyncio.sleep(0.05)
        assert turning.jwks()["keys"] == [known]
    file.unlink()
    await asyncio.sleep(0.05)
    assert turning.jwks()["keys"] == [known]
    file.write_text(f"{OTHER_SEED},{SEED}")
    async with asyncio.timeout(5):
        while len(turning.jwks()["keys"]) != 2:  # noqa: ASYNC110 - in the task
            await asyncio.sleep(0.01)
    assert turning.jwks()["keys"][1] == known
    assert not following.done()
    following.cancel()


def test_a_start_without_the_file_says_which_setting(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, jwt_keys_file=str(tmp_path / "none"))
    with pytest.raises(SettingsError, match=r"^SOUK_JWT_KEYS_FILE: FileNotFound"):
        Tokens.of(settings)


def test_a_guests_token_stays_while_keys_turn() -> None:
    settings = Settings(jwt_keys=SEED, encryption_keys="old")
    order = new_id()
    token = Tokens.of(settings).guest_token(order)
    for changes in (
        {"jwt_keys": f"{OTHER_SEED},{SEED}"},
        {"jwt_keys": OTHER_SEED},
        {"encryption_keys": "new, old"},
    ):
        assert Tokens.of(settings.changed(**changes)).guest_token(order) == token
    assert Tokens.of(settings.changed(encryption_keys="b")).guest_token(order) != token
