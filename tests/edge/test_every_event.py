"""Every event of the contract is told by something that people do, and is valid."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from bus.kit.addressing import new_id
from bus.messaging import SendEmail
from tests.edge.conftest import DOMAINS
from tests.edge.front import PRICE, Front, Person, order
from tests.files.samples import picture
from tests.kit.local import Databases, LocalShop, local_shop
from tests.payments.support import Bank, settings_for, until
from tests.users.persons import PASSWORD, mailed_code

# contract §3
CONTRACT = {
    "users": {
        *("user_registered", "email_verified", "password_changed"),
        *("sessions_revoked", "role_changed", "user_erased"),
    },
    "products": {
        *("product_created", "product_updated", "product_archived"),
        *("price_changed", "review_submitted", "review_moderated"),
    },
    "inventory": {
        *("stock_reserved", "stock_released", "stock_committed"),
        *("stock_adjusted", "stock_low", "stock_replenished"),
    },
    "orders": {
        *("order_placed", "order_confirmed", "order_processing", "order_shipped"),
        *("order_delivered", "order_cancelled", "order_refunded"),
    },
    "payments": {
        *("payment_authorized", "payment_succeeded", "payment_failed"),
        *("refund_completed", "refund_rejected"),
    },
    "notifications": {"notification_created", "notification_read"},
    "files": {"file_uploaded", "file_deleted"},
    "messaging": {"message_sent", "message_failed"},
}


@pytest.fixture
async def fresh(
    databases: Databases, bank_process: Bank, tmp_path: Any
) -> AsyncIterator[Front]:
    """A shop of the test's own, in which nothing has happened."""
    await bank_process.ready()
    await bank_process.faults()
    settings = settings_for(bank_process).changed(bcrypt_rounds=4, data_dir=tmp_path)
    async with local_shop(databases, *DOMAINS, settings=settings) as shop:
        front = await Front.of(shop)
        async with front.http:
            yield front


async def test_every_event_of_the_contract_is_told_and_valid(
    fresh: Front, bank_process: Bank
) -> None:
    admin, seller = await fresh.person("ADMIN"), await fresh.person("SELLER")
    await _people(fresh, admin)
    sku = await _goods(fresh, seller, admin)
    await _orders(fresh, admin, sku)
    await _refused_refund(fresh, admin, sku, bank_process)
    failed = SendEmail(message_id=new_id(), to="a@example.com", template="none")
    await fresh.shop.ask(failed)
    await fresh.shop.deliver()
    await _read(admin)

    async def missing() -> dict[str, set[str]] | None:
        told = await _told(fresh.shop)
        left = {name: kinds - told[name] for name, kinds in CONTRACT.items()}
        return None if any(left.values()) else told

    told = await until(missing)
    assert set(told) == set(CONTRACT)


async def _told(shop: LocalShop) -> dict[str, set[str]]:
    """The kinds that each domain told; each document is checked as it is read."""
    found: dict[str, set[str]] = {name: set() for name in DOMAINS}
    for event in await shop.events():
        domain, kind, _ = event["type"].split(".")
        found[domain].add(kind)
    return found


async def _people(front: Front, admin: Person) -> None:
    """Somebody registers, shows whose the address is, and after a while leaves."""
    email = "grace@example.com"
    made = await front.guest.call(
        "POST /auth/register",
        201,
        {
            "email": email,
            "password": PASSWORD,
            "first_name": "Grace",
            "last_name": "Hopper",
        },
    )
    code = await mailed_code(front.shop, to=email)
    proof = {"email": email, "code": code}
    await front.guest.call("POST /auth/verify-email", 204, proof)
    grace = front.guest.holding(Authorization=f"Bearer {made['access_token']}")
    words = {"current_password": PASSWORD, "new_password": f"{PASSWORD} at dusk"}
    await grace.call("POST /auth/change-password", 204, words)
    role = f"PUT /users/{made['user']['id']}/role"
    await admin.call(role, 200, {"role": "SELLER"})
    await grace.call("DELETE /users/profile", 204)


async def _goods(front: Front, seller: Person, admin: Person) -> str:
    """A product is made, changed and reviewed, and another is given up."""
    sku, _ = await front.goods(1, 1, seller=seller)
    page = await front.guest.call(f"GET /products?seller={seller.user_id}", 200)
    place = f"/products/{page['items'][0]['id']}"
    await seller.call(f"PATCH {place}", 200, {"description": "Finer."})
    price = {**PRICE, "amount": 1100}
    dearer = {"sku": sku, "price": price, "options": {"Kind": sku}}
    await seller.call(f"PUT {place}/variants/{sku}", 200, dearer)
    review = {"rating": 5, "comment": "Good."}
    made = await admin.call(f"POST {place}/reviews", 201, review)
    await admin.call(
        f"PUT /reviews/{made['id']}/moderation", 200, {"status": "APPROVED"}
    )
    count = {"on_hand": 20, "reason": "count"}
    await seller.call(f"PUT /inventory/{sku}/threshold", 200, {"threshold": 5})
    await seller.call(f"PUT /inventory/{sku}", 200, count)
    await seller.call(f"PUT /inventory/{sku}", 200, {**count, "on_hand": 4})
    await seller.call(f"PUT /inventory/{sku}", 200, count)
    (gone,) = await front.goods(1, seller=seller)
    page = await front.guest.call(f"GET /products?q={gone}", 200)
    given_up = next(one for one in page["items"] if one["name"] == gone)
    await seller.call(f"DELETE /products/{given_up['id']}", 204)
    sent = await front.http.post(
        "/upload",
        files={"file": ("a.jpg", picture(200, 100))},
        data={"entity_type": "product", "entity_id": str(uuid4())},
        headers=seller._headers,
    )
    assert sent.status_code == 201, sent.text
    await seller.call(f"DELETE {sent.headers['location']}", 204)
    return sku


async def _orders(front: Front, admin: Person, sku: str) -> None:
    """One order arrives, one is cancelled, one is declined, one is paid later."""
    ada = await front.person()
    made = await ada.call("POST /orders", 201, order((sku, 1)))
    for step in (
        {"status": "PROCESSING"},
        {"status": "SHIPPED", "carrier": "DHL", "tracking_number": "1Z"},
        {"status": "DELIVERED"},
    ):
        await admin.call(f"PUT /orders/{made['id']}/status", 200, step)
    given_back = await ada.call("POST /orders", 201, order((sku, 1)))
    await ada.call(f"PUT /orders/{given_back['id']}/cancel", 200)
    await ada.call("POST /orders", 402, order((sku, 1), payment=_card("tok_declined")))
    later = _card("tok_pending_300")
    await ada.call("POST /orders", 202, order((sku, 1), payment=later))


async def _refused_refund(front: Front, admin: Person, sku: str, bank: Bank) -> None:
    """The bank has given the money back by itself, and refuses to do so again."""
    ada = await front.person()
    made = await ada.call("POST /orders", 201, order((sku, 1)))
    (charge,) = await bank.ledger(made["id"])
    back = {
        "key": str(uuid4()),
        "charge_key": charge["key"],
        "amount": charge["captured"],
        "currency": "USD",
    }
    (line,) = await bank.lines("/v1/refunds", [back])
    assert line["status"] == "succeeded"
    refunds = f"POST /payments/{made['payment']['id']}/refunds"
    refund = await admin.call(refunds, 201, {"reason": "broken"})
    assert refund["status"] == "REJECTED"


async def _read(admin: Person) -> None:
    """The administrator was told of the refusal, and reads it."""
    told = (await admin.call("GET /notifications", 200))["items"]
    assert {"A refund was refused"} <= {one["title"] for one in told}
    await admin.call(f"PUT /notifications/{told[0]['id']}/read", 200)


def _card(token: str) -> dict[str, str]:
    return {"method": "CREDIT_CARD", "token": token}
