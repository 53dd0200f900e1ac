"""What each shipped template is for, which data it gets, and what it must name."""

from typing import Any

_MONEY = {"amount": 1999, "currency": "USD"}
_ORDER = {"number": "100-000-001", "order_id": "", "link": "", "title": "", "body": ""}
_CODE = {"code": "271828", "minutes": 15, "link": "https://shop.example/verify"}

ALWAYS: dict[str, Any] = {
    "name": "",
    "link": "",
    "number": "",
    "minutes": 15,
    "complete": True,
    "reason": "",
    "order": None,
}
"""What every template may name, with the value where a mail does not say it."""

FILLED = frozenset({"locale", "lang", "shop_url"})
"""What is filled in for every mail."""

ORDER: dict[str, Any] = {
    "lines": [{"name": "Mug", "sku": "MUG-1", "quantity": 2, "total": _MONEY}],
    "totals": {
        "items": _MONEY,
        "discount": {"amount": 0, "currency": "USD"},
        "shipping": {"amount": 0, "currency": "USD"},
        "tax": {"amount": 0, "currency": "USD"},
        "grand": _MONEY,
    },
    "address": ["Ann Example", "1 Main Street", "12345 Springfield", "US"],
}
"""The whole order, as its confirmation lists it; absent in a mail sent by hand."""

SAMPLES: dict[str, dict[str, Any]] = {
    "account_exists": {"name": "Ann"},
    "late_payment_returned": {**_ORDER, "name": "Ann", "amount": _MONEY},
    "letter": {"subject": "A word", "text": "Two\nlines."},
    "low_stock": {"name": "Sue", "sku": "MUG-1", "available": 3, "threshold": 5},
    "notification": {"name": "Ann", "title": "We close early", "body": "At four."},
    "order_cancelled": {**_ORDER, "name": "Ann", "total": _MONEY, "reason": "unpaid"},
    "order_confirmed": {**_ORDER, "name": "Ann", "total": _MONEY, "order": ORDER},
    "order_delivered": {**_ORDER, "name": "Ann"},
    "order_lookup": {
        "name": "Ann",
        "number": "100-000-001",
        "link": "https://shop.example/orders/1#token",
    },
    "order_refunded": {**_ORDER, "name": "Ann", "refunded": _MONEY},
    "order_shipped": {
        **_ORDER,
        "name": "Ann",
        "carrier": "DHL",
        "tracking_number": "JD0146",
        "complete": True,
    },
    "password_changed": {"name": "Ann"},
    "payment_failed": {**_ORDER, "name": "Ann", "amount": _MONEY},
    "payment_succeeded": {**_ORDER, "name": "Ann", "amount": _MONEY},
    "reset_password": {"name": "Ann", **_CODE},
    "verify_email": {"name": "Ann", **_CODE},
}

REQUIRED: dict[str, tuple[str, ...]] = {
    "letter": ("text",),
    "notification": ("body",),
    "order_lookup": ("link",),
    "reset_password": ("code",),
    "verify_email": ("code",),
}
"""What a mail is of no use without: text and MJML must both name it."""

DESCRIPTIONS: dict[str, str] = {
    "account_exists": "To whoever has an account, when somebody registers once more.",
    "late_payment_returned": "Money came too late for its order and goes back.",
    "letter": "What a caller wrote: a subject and a text.",
    "low_stock": "To sellers and administrators, when a SKU runs low.",
    "notification": "What has no template of its own: a title and a body.",
    "order_cancelled": "An order was cancelled.",
    "order_confirmed": "An order is confirmed; the receipt.",
    "order_delivered": "An order has arrived.",
    "order_lookup": "The link that somebody asked for with number and address.",
    "order_refunded": "Money of an order is on its way back.",
    "order_shipped": "A parcel is on its way.",
    "password_changed": "A password was changed.",
    "payment_failed": "A payment did not go through.",
    "payment_succeeded": "A payment has come in.",
    "reset_password": "The code for a new password.",
    "verify_email": "The code that shows whose an address is.",
}
