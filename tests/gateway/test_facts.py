"""What the gateway heard of is a fact for a second, and then a reason to ask."""

from bus.inventory import StockAdjusted
from serve_app.kit.facts import Facts
from serve_app.kit.routing import Router
from tests.gateway.fakes import Hands


def test_a_fact_is_fresh_for_a_second_and_known_for_longer() -> None:
    clock = Hands()
    facts = Facts(clock=clock)
    facts.note("A")
    facts.note("B", at=clock.now - 0.5)
    clock.now += 0.6
    assert facts.is_fresh("A") and not facts.is_fresh("B")
    assert "B" in facts
    clock.now += 0.5
    assert not facts.is_fresh("A")
    facts.drop("A")
    assert "A" not in facts and not facts.is_fresh("A")
    facts.clear()
    assert len(facts) == 0


def test_no_more_facts_are_kept_than_there_is_room_for() -> None:
    facts = Facts(facts_max=3, clock=Hands())
    for name in "ABCBD":
        facts.note(name)
    assert [name for name in "ABCD" if name in facts] == ["B", "C", "D"]


def test_a_router_says_which_events_change_what_is_known() -> None:
    router = Router("trial")
    router.hears(StockAdjusted, lambda facts, told: facts.note(told.sku))
    [(event, note)] = router.hearing
    facts = Facts()
    note(
        facts,
        StockAdjusted(sku="A", warehouse_id=None, delta=1, on_hand=1, available=1),
    )
    assert event is StockAdjusted and facts.is_fresh("A")
