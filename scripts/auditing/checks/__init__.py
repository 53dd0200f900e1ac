"""All checks: each a pure function over the books that yields what it finds."""

from scripts.auditing.books import Books, Check, Violation, name_of
from scripts.auditing.checks import (
    carts,
    effects,
    events,
    holds,
    money,
    movements,
    orders,
    privacy,
    processes,
    stock,
)

CHECKS: tuple[Check, ...] = (
    orders.order_totals,
    orders.order_status,
    orders.order_stage,
    orders.order_number_once,
    orders.order_paid,
    orders.order_cancelled_repaid,
    orders.order_refunds,
    orders.order_answered,
    orders.order_timeline,
    orders.order_attempts,
    carts.cart_at_rest,
    carts.cart_ends,
    holds.order_held,
    holds.order_pending_held,
    holds.order_cancelled_free,
    holds.hold_of_order,
    holds.hold_parts,
    holds.hold_in_time,
    holds.hold_shipped,
    stock.stock_bounds,
    stock.stock_movements,
    stock.stock_reserved,
    stock.stock_level,
    stock.warehouse_closed_empty,
    movements.movement_numbered,
    movements.movement_explained,
    movements.transfer_whole,
    money.ledger_balanced,
    money.payment_ledger,
    money.payment_sums,
    money.payment_bounds,
    money.bank_charge_matches,
    money.bank_charge_known,
    money.bank_charged_once,
    money.bank_refund_matches,
    money.bank_refund_known,
    events.outbox_gapless,
    events.entity_gapless,
    events.entity_last_number,
    events.event_published_once,
    events.event_known,
    events.event_order,
    events.event_handled,
    effects.notified_once,
    effects.guest_mailed,
    effects.notification_mailed,
    effects.message_once,
    effects.mail_once,
    effects.message_sent_told,
    effects.message_not_stuck,
    effects.stock_shown,
    effects.purchase_noted,
    processes.process_finished,
    processes.due_in_time,
    processes.no_dead_letters,
    processes.slots_owned,
    privacy.no_person_in_outbox,
    privacy.no_person_in_stream,
    privacy.no_person_in_handled,
    privacy.no_person_in_due,
)


def audit(books: Books, checks: tuple[Check, ...] = CHECKS) -> list[Violation]:
    """All that the checks find, in their order."""
    return [
        Violation(name_of(check), ids, detail)
        for check in checks
        for ids, detail in check(books)
    ]
