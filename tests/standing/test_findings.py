"""What is suspected counts once it stands, is told once, and goes when it is mended."""

import json

import pytest

from actors.auditing.effects import EVENTS_MAX, Events
from actors.auditing.findings import KEPT_MAX, Findings
from actors.auditing.standing import alert_id, alert_of
from actors.auditing.waiting import KEYS_MAX, Waiting
from bus.kit.addressing import new_id
from bus.kit.books import Event

SCOPE = ("order", "one")
FOUND = ("order-paid", "one", "captured 1 of 2")
OTHER = ("order-paid", "one", "captured 0 of 2")


def test_a_difference_counts_only_when_it_stands() -> None:
    findings = Findings()
    assert findings.note(SCOPE, [FOUND], 10.0, calm_since=0.0) == []
    assert findings.note(SCOPE, [FOUND], 12.9, calm_since=0.0) == []
    assert findings.standing() == {}
    assert findings.note(SCOPE, [FOUND], 13.0, calm_since=0.0) == [FOUND]
    assert findings.standing() == {FOUND: SCOPE}
    assert findings.note(SCOPE, [FOUND], 20.0, calm_since=0.0) == []  # told once


def test_one_look_alone_never_counts() -> None:
    findings = Findings()
    assert findings.note(SCOPE, [FOUND], 10.0, calm_since=0.0) == []
    other = ("order", "two")
    assert findings.note(other, [FOUND], 99.0, calm_since=0.0) == []
    assert findings.standing() == {}


def test_a_difference_that_says_something_else_stands_anew() -> None:
    findings = Findings()
    findings.note(SCOPE, [FOUND], 10.0, calm_since=0.0)
    assert findings.note(SCOPE, [OTHER], 14.0, calm_since=0.0) == []
    assert findings.note(SCOPE, [OTHER], 16.9, calm_since=0.0) == []
    assert findings.note(SCOPE, [OTHER], 17.0, calm_since=0.0) == [OTHER]


def test_what_was_written_again_stands_anew_and_what_stood_stays() -> None:
    findings = Findings()
    findings.note(SCOPE, [FOUND], 10.0, calm_since=0.0)
    findings.disturb(SCOPE, 12.0)
    assert findings.note(SCOPE, [FOUND], 14.0, calm_since=0.0) == []
    assert findings.note(SCOPE, [FOUND], 15.0, calm_since=0.0) == [FOUND]
    findings.disturb(SCOPE, 16.0)
    assert findings.standing() == {FOUND: SCOPE}


def test_nothing_counts_until_all_was_calm_for_long_enough() -> None:
    findings = Findings()
    findings.note(SCOPE, [FOUND], 10.0, calm_since=0.0)
    assert findings.note(SCOPE, [FOUND], 14.0, calm_since=12.0) == []
    assert findings.note(SCOPE, [FOUND], 15.0, calm_since=12.0) == [FOUND]


def test_what_is_mended_stands_no_longer() -> None:
    findings = Findings()
    findings.note(SCOPE, [FOUND], 10.0, calm_since=0.0)
    findings.note(SCOPE, [FOUND], 13.0, calm_since=0.0)
    assert [one.found for one in findings.untold()] == [FOUND]
    findings.tell(findings.untold()[0])
    assert findings.untold() == []
    findings.note(SCOPE, [], 14.0, calm_since=0.0)
    assert findings.standing() == {}
    assert findings.scopes("order") == []


def test_only_so_much_is_kept() -> None:
    findings = Findings()
    for number in range(KEPT_MAX + 3):
        findings.note(("order", str(number)), [FOUND], 1.0, calm_since=0.0)
    assert len(findings.scopes("order")) == KEPT_MAX
    assert findings.dropped == 3


def test_an_alert_is_the_same_for_the_same_finding_and_names_it() -> None:
    assert alert_id(FOUND) == alert_id(("order-paid", "one", "captured 1 of 2"))
    assert alert_id(FOUND) != alert_id(OTHER)
    alert = alert_of(FOUND)
    assert alert.about == "audit/order-paid/one"
    assert alert.title == "The books disagree: order-paid"
    assert alert.body == "one: captured 1 of 2. See `scripts/audit`."
    assert alert.facts == {
        "check": "order-paid",
        "ids": "one",
        "detail": "captured 1 of 2",
    }


def test_keys_wait_once_the_oldest_first_until_they_are_ripe() -> None:
    waiting = Waiting()
    waiting.add(["b", "a"], 1.0)
    waiting.add(["a", "c"], 2.0)
    assert waiting.take(9, 0.5) == []
    assert waiting.take(1, 1.5) == ["b"]
    assert waiting.take(9, 1.5) == ["a"]
    assert waiting.take(9, 2.0) == ["c"]
    assert len(waiting) == 0


def test_no_more_keys_wait_than_may() -> None:
    waiting = Waiting()
    waiting.add(map(str, range(KEYS_MAX + 2)), 1.0)
    assert len(waiting) == KEYS_MAX
    assert waiting.lost == 2


@pytest.mark.full
def test_no_more_events_are_known_than_may() -> None:
    events, ids = Events(), [new_id() for _ in range(EVENTS_MAX + 2)]
    orders = [str(new_id()) for _ in range(2)]

    def told(n: int) -> Event:
        data = {"order_id": orders[min(n, 1)], "user_id": None}
        members = {"id": str(ids[n]), "type": "t", "subject": "s", "sequence": "1"}
        payload = {**members, "time": "2026-11-24T12:00:00Z", "data": data}
        return Event(0, n, ids[n], "events.orders.x", json.dumps(payload))

    assert len(events.add("orders", map(told, range(len(ids))))) == len(ids)
    kept = events.get(map(str, ids))
    assert [one.told.row.id for one in kept] == ids[2:]
    assert events.of_order(orders[0]) == []
    assert len(events.of_order(orders[1])) == EVENTS_MAX
    assert events.maker(str(ids[1])) is None
