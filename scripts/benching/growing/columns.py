"""The tables that the past fills, and which of their columns; a line of COPY."""

from typing import NamedTuple

_NULL = r"\N"


class Table(NamedTuple):
    """A table, and the columns that are given."""

    database: str
    name: str
    columns: str


Row = tuple[Table, str]


def line_of(*values: object) -> str:
    """One line of COPY's text format; no value of the past needs an escape."""
    return "\t".join([_NULL if v is None else str(v) for v in values]) + "\n"


ORDERS = Table(
    "orders",
    "orders",
    "id number buyer user_id status stage method payment_id payment_status attempt"
    " reserve_attempt from_cart currency items_amount discount_amount shipping_amount"
    " tax_amount grand_amount refunded_amount email shipping cancel_reason shipments"
    " version created_at updated_at",
)
LINES = Table(
    "orders",
    "order_lines",
    "order_id position sku product_id name options seller_id quantity unit_amount"
    " status shipped delivered",
)
TIMELINE = Table(
    "orders",
    "timeline",
    "order_id version day status actor actor_id reason at",
)
AUDIT = Table("orders", "audit", "id day at action actor entity before after")
CARTS = Table("orders", "carts", "buyer state lines version updated_at created_at")
DUE = Table("orders", "due", "name id slot at kind message")
HOLDS = Table(
    "inventory", "holds", "order_id sku attempt state quantity shipped parts updated_at"
)
MOVEMENTS = Table(
    "inventory",
    "movements",
    "sku warehouse_id version number id kind reason order_id on_hand_before"
    " on_hand_after reserved_before reserved_after created_at",
)
PAYMENTS = Table(
    "payments",
    "payments",
    "id order_id user_id currency method amount_minor captured_minor refunded_minor"
    " refunding_minor version created_at updated_at",
)
ATTEMPTS = Table(
    "payments",
    "attempts",
    "payment_id number status provider key amount_minor method reference asks"
    " created_at closed_at",
)
REFUNDS = Table(
    "payments",
    "refunds",
    "id payment_id status amount_minor reason reference asks created_at closed_at"
    " attempt",
)
LEDGER = Table(
    "payments",
    "ledger_lines",
    "transaction_id line payment_id account amount_minor currency created_at",
)
CHARGES = Table(
    "bank",
    "charges",
    "key amount currency token order_id attempt status captured refunded reference"
    " created_at answer_at moved_at",
)
BANK_REFUNDS = Table(
    "bank",
    "refunds",
    "key charge_key amount currency status reference created_at",
)
PURCHASES = Table("products", "purchases", "order_id product_id user_id")
NOTIFICATIONS = Table(
    "notifications",
    "notifications",
    "id user_id type title body data in_app email sms read_at created_at updated_at"
    " version position",
)
MESSAGES = Table(
    "messaging",
    "messages",
    "message_id day slot channel template recipient user_id locale security status"
    " attempts created_at updated_at sent_at",
)


def sequences(database: str) -> Table:
    """The numbers of the last events of a domain's entities."""
    return Table(database, "sequences", "subject sequence")
