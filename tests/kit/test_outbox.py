"""The outbox: numbers without a gap, whatever fails beside them."""

import asyncio

from tests.kit.faults import caller, check_outbox, lose_commits, names
from tests.kit.toy import Balk, Spoil, Tell


async def test_numbers_have_no_gap_under_concurrent_batches_and_rollbacks(
    toys, monkeypatch
) -> None:
    """Guards batch.py: `self.last_n[row.slot] = row.n` in `_after_commit`.

    And outbox.py: `sequence = sequences.sequence + excluded.sequence`.
    """
    async with toys() as s:
        wanted = names(0, 3) + names(1, 3)
        asks = [s.ask, caller(s)]
        for turn in range(3):
            some = []
            for number, name in enumerate(wanted * 4):
                ask = asks[number % 2]
                some.append(ask(Tell(name=name, subjects=("a " + name, "b " + name))))
            some.append(s.ask(Spoil(name=wanted[turn])))
            some.append(s.ask(Balk(name=wanted[turn], late=True)))
            if turn == 1:
                lose_commits(monkeypatch, 2, happens=False)
            await asyncio.gather(*some, return_exceptions=True)
        await check_outbox(s)
        events = await s.events()
        assert len(events) == 3 * 4 * 6 * 2
        assert {int(event["sequence"]) for event in events} == set(range(1, 13))


async def test_an_event_is_a_cloud_event_of_its_entity(toys) -> None:
    """Guards outbox.py: `_row`."""
    async with toys() as s:
        name = names(0)[0]
        await s.ask(Tell(name=name, subjects=("a",), what="word"))
        event = (await s.events())[0]
        assert {key: event[key] for key in event if key not in ("id", "time")} == {
            "specversion": "1.0",
            "source": "/toy",
            "type": "toy.told.v1",
            "subject": "a",
            "sequence": "1",
            "data": {"name": name, "entity": "a", "what": "word"},
        }
