"""The checker: each kind of broken promise is found, where it is and by its name."""

from uuid import uuid4

import pytest

from actors.auditing.books import Violation
from scripts.breaking.checking import (
    PROMISES,
    Evidence,
    answered_orders,
    broken,
    copies,
)
from tests.chaos.evidence import (
    BOUGHT,
    CALLED_OFF,
    DECLINED,
    MAIL,
    PRICE,
    changed,
    charge,
    entry,
    hit,
    mail,
    moved,
    order,
    sound,
    with_books,
    with_entry,
)

MAILED = f"{MAIL}@souk.example"
LOST, STRANGE = uuid4(), uuid4()
ORDERS = sound().books.orders
CHARGES = sound().books.bank_charges

PLANTS: list[tuple[str, Evidence, str, str]] = [
    (
        "decided",
        with_entry("order", status=0, tries=40),
        "order key",
        "order: no decision in 40 tries",
    ),
    (
        "answered-as-due",
        with_entry("order", status=409, code="out-of-stock", order_id=""),
        "order key",
        "order: answered 409 out-of-stock",
    ),
    (
        "answered-as-due",
        with_entry("declined", status=201, order_id=str(BOUGHT), buyer=""),
        "declined key",
        "declined: answered 201 ",
    ),
    (
        "ordered-once",
        with_books(orders=[*ORDERS, order(LOST, "order@bench.example", "CANCELLED")]),
        "order key",
        f"made {BOUGHT}, {LOST}",
    ),
    (
        "ordered-once",
        changed(
            entries=[
                *sound().entries,
                entry("checkout", status=201, order_id=str(BOUGHT)),
            ]
        ),
        str(BOUGHT),
        "is the answer to 2 requests",
    ),
    (
        "answered-stands",
        with_books(orders=ORDERS[1:]),
        str(BOUGHT),
        "answered 201, and not there",
    ),
    (
        "answered-stands",
        with_books(
            orders=[order(BOUGHT, "order@bench.example", "CANCELLED"), *ORDERS[1:]]
        ),
        str(BOUGHT),
        "answered 201, and is CANCELLED",
    ),
    (
        "charged-once",
        with_books(bank_charges=[*CHARGES, charge(BOUGHT, PRICE, key="second")]),
        str(BOUGHT),
        f"charged [{PRICE}, {PRICE}] for {PRICE}",
    ),
    (
        "charged-once",
        with_books(bank_charges=CHARGES[1:]),
        str(BOUGHT),
        f"charged [] for {PRICE}",
    ),
    (
        "charged-once",
        with_books(bank_charges=[charge(BOUGHT, PRICE - 1), *CHARGES[1:]]),
        str(BOUGHT),
        f"charged [{PRICE - 1}] for {PRICE}",
    ),
    (
        "refused-for-nothing",
        with_books(
            orders=[*ORDERS[:2], order(DECLINED, "declined@bench.example", "CONFIRMED")]
        ),
        str(DECLINED),
        "answered 402, and is CONFIRMED",
    ),
    (
        "refused-for-nothing",
        with_books(bank_charges=[*CHARGES, charge(DECLINED, PRICE)]),
        str(DECLINED),
        f"answered 402, and {PRICE} is kept",
    ),
    (
        "cancelled-back",
        with_books(
            orders=[
                ORDERS[0],
                order(CALLED_OFF, "cancelled@bench.example", "CONFIRMED"),
                ORDERS[2],
            ]
        ),
        str(CALLED_OFF),
        "cancelled, and is CONFIRMED",
    ),
    (
        "cancelled-back",
        with_books(bank_charges=[CHARGES[0], charge(CALLED_OFF, PRICE, 1)]),
        str(CALLED_OFF),
        f"cancelled, and {PRICE - 1} is kept",
    ),
    (
        "counted-once",
        with_books(movements=[*sound().books.movements, moved("stock key", 1)]),
        "stock key",
        "CHAOS-000 by 1: moved [1, 1]",
    ),
    (
        "counted-once",
        with_books(movements=sound().books.movements[1:]),
        "stock key",
        "CHAOS-000 by 1: moved []",
    ),
    (
        "counted-once",
        with_books(movements=[*sound().books.movements, moved("refused", 1)]),
        "refused",
        "CHAOS-000 by 1: moved [1]",
    ),
    (
        "counted-once",
        with_books(movements=[*sound().books.movements, moved("unknown", 1)]),
        "unknown",
        "CHAOS-000 by 1: moved [1, 1]",
    ),
    (
        "mailed-as-told",
        changed(mails={MAILED: 1, f"{STRANGE}@souk.example": 1}),
        str(STRANGE),
        "arrived, and nobody asked for it",
    ),
    (
        "mailed-as-told",
        changed(mails={}),
        str(MAIL),
        "called sent, and never arrived",
    ),
    (
        "mailed-as-told",
        with_books(messages=[mail(MAIL, "FAILED")]),
        str(MAIL),
        "is FAILED after the end",
    ),
    (
        "mailed-again-for-a-fault",
        changed(mails={MAILED: 2}),
        MAILED,
        "arrived 2 times, with 0 faults on its way",
    ),
    (
        "mailed-again-for-a-fault",
        changed(mails={MAILED: 3}, hits=[hit("kill messaging/0")]),
        MAILED,
        "arrived 3 times, with 1 faults on its way",
    ),
    (
        "settled-in-time",
        changed(settled_seconds=30.5),
        "shop",
        "at rest only after 30.5 s",
    ),
    (
        "settled-in-time",
        changed(settled_seconds=61.0, busy={"orders not settled": 2}),
        "shop",
        "not at rest after 61.0 s: orders not settled 2",
    ),
    (
        "thawed-left",
        changed(hits=[hit("freeze orders/0", stayed=True)]),
        "orders/0",
        "process 7 was taken over, and stayed",
    ),
    (
        "came-back",
        changed(hits=[hit("everything all", failed="no Ray")]),
        "everything all",
        "no Ray",
    ),
]


def test_a_round_that_kept_every_promise_has_nothing_against_it() -> None:
    assert broken(sound()) == []


@pytest.mark.parametrize(
    ("check", "evidence", "ids", "detail"),
    PLANTS,
    ids=[f"{plant[0]}-{number}" for number, plant in enumerate(PLANTS)],
)
def test_a_planted_violation_is_found_by_its_own_check_alone(
    check: str, evidence: Evidence, ids: str, detail: str
) -> None:
    found = [one for one in broken(evidence) if one.check == check]
    assert found == [Violation(check, ids, detail)]


def test_each_promise_has_a_plant() -> None:
    names = {promise.__name__.replace("_", "-") for promise in PROMISES}
    assert {plant[0] for plant in PLANTS} == names


def test_what_the_audit_finds_counts_as_well() -> None:
    found = Violation("ledger-balanced", "1", "off by a cent")
    assert broken(changed(audited=[found])) == [found]


@pytest.mark.parametrize(
    "name", ["kill messaging/0", "cut smtp", "drop postgres/messaging", "kill postgres"]
)
def test_a_second_copy_of_a_mail_that_a_fault_may_have_caught_is_only_counted(
    name: str,
) -> None:
    evidence = changed(mails={MAILED: 2}, hits=[hit(name)])
    assert broken(evidence) == []
    assert copies(evidence.mails) == 1


def test_a_fault_that_was_skipped_excuses_no_second_mail() -> None:
    skipped = [hit("kill messaging/0", skipped="no process found")]
    assert len(broken(changed(mails={MAILED: 2}, hits=skipped))) == 1


def test_without_a_mail_server_of_ours_nothing_is_said_of_mails() -> None:
    assert broken(changed(mails=None)) == []
    assert copies(None) == 0


def test_the_audit_is_told_of_every_order_that_a_client_was() -> None:
    assert set(answered_orders(sound().entries)) == {BOUGHT, CALLED_OFF}
