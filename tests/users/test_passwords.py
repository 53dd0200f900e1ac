"""Passwords: hashed alike for everybody, by few threads, and to the last character."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from pwdlib.hashers.bcrypt import BcryptHasher

from actors.users.passwords import THREADS_MAX, Passwords
from bus.kit.refusals import Unavailable
from bus.users import GetStanding
from tests.users.persons import EMAIL, log_in, refused, register, until

Shop = Callable[..., Any]


async def test_a_password_may_have_any_length_and_holds_to_the_last_character() -> None:
    passwords = Passwords(4)
    long = "x" * 200
    password_hash = await passwords.hash(long)
    assert await passwords.verify(long, password_hash)
    assert not await passwords.verify(long[:-1] + "y", password_hash)
    assert not await passwords.verify(long, None)
    passwords.close()


async def test_an_unknown_address_costs_as_many_hashes_as_a_known_one(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[str] = []

    def counted(name: str) -> Callable[..., Any]:
        real = getattr(BcryptHasher, name)

        def work(self: BcryptHasher, *given: Any, **named: Any) -> Any:
            hashed.append(f"{name} {self.rounds}")
            return real(self, *given, **named)

        return work

    async with shop("users", shards=1) as s:
        await register(s)
        for name in ("hash", "verify"):
            monkeypatch.setattr(BcryptHasher, name, counted(name))
        costs = []
        for email in (EMAIL, "nobody@example.com"):
            hashed.clear()
            await refused(log_in(s, "wrong", email=email))
            costs.append(tuple(hashed))
        assert costs[0] == costs[1] == (f"verify {s.settings.bcrypt_rounds}",)


async def test_a_burst_of_sign_ins_takes_two_threads_and_holds_nobody_up(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    release, at_once = threading.Event(), Most()
    real = BcryptHasher.verify

    def held(self: BcryptHasher, *given: Any, **named: Any) -> bool:
        with at_once:
            assert release.wait(timeout=60)
            return real(self, *given, **named)

    async with shop("users", shards=1) as s:
        ada = await register(s)
        monkeypatch.setattr(BcryptHasher, "verify", held)
        tries = [
            asyncio.create_task(refused(log_in(s, "wrong", client=f"198.51.100.{n}")))
            for n in range(50)
        ]
        try:
            await until(at_once.are(THREADS_MAX))
            query = GetStanding(user_id=ada.user.id, session_id=ada.session_id)
            assert (await s.ask(query)).session_lives  # while all hashes are held
            assert not any(task.done() for task in tries)
        finally:
            release.set()
        codes = [refusal.code for refusal in await asyncio.gather(*tries)]
        assert codes == ["invalid-credentials"] * 50
        assert at_once.most == THREADS_MAX


async def test_more_passwords_than_may_wait_are_turned_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    passwords = Passwords(4)
    monkeypatch.setattr("actors.users.passwords.WAITING_MAX", 2)
    first = [asyncio.create_task(passwords.hash("one")) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(Unavailable):
        await passwords.verify("three", None)
    assert len(set(await asyncio.gather(*first))) == 2
    assert not await passwords.verify("three", None)
    passwords.close()


class Most:
    """How many are inside at once, and how many ever were."""

    def __init__(self) -> None:
        self.now = self.most = 0
        self._lock = threading.Lock()

    def are(self, count: int) -> Callable[[], Awaitable[bool]]:
        """Whether so many are inside."""

        async def look() -> bool:
            return self.now >= count

        return look

    def __enter__(self) -> None:
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self.now -= 1
