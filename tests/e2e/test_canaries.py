"""Secrets that nobody else has are lived with in a whole shop, then looked for."""

import json
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import pytest

from actors import DOMAINS
from tests.e2e.people import ADDRESS, Person, Stranger, new_goods
from tests.e2e.shops import LiveShop
from tests.kit.needles import Needles

WORD = f"Canary-Word-{uuid4().hex[:12]}-of-nobody"
NEXT_WORD = f"Canary-Next-{uuid4().hex[:12]}-of-nobody"
WRONG_WORD = f"Canary-Wrong-{uuid4().hex[:12]}-of-nobody"
CARD_NUMBER = "5555341244441115"
TOKENS_MIN = 9


async def lived(stranger: Stranger, keeper: Person, tokens: dict[str, str]) -> Person:
    """A stranger's and a person's day; each secret is kept in `tokens` by its name."""
    sku = await new_goods(keeper, stock=20)
    email = f"canary.{uuid4().hex[:8]}@mail.example"
    await stranger.put_in_cart(sku, 1)
    tokens["cart token"] = str(stranger.cart_token)
    order = (await stranger.order(email=email)).ok(201)
    tokens["order token"] = order["order_token"]
    head = {"X_Order_Token": order["order_token"]}
    (await stranger.call("GET", f"/orders/{order['id']}", **head)).ok(200)
    refused = await stranger.order((sku, 1), token=CARD_NUMBER, email=email)
    assert refused.status in (402, 422), refused.body

    person = Person(stranger.session, stranger.url, email=email, password=WORD)
    names = {"first_name": "Cana", "last_name": "Ry"}
    account = {"email": email, "password": WORD, **names}
    said = (await stranger.call("POST", "/auth/register", account)).ok(201)
    person.take(said)
    tokens["first access token"] = said["access_token"]
    tokens["first refresh token"] = said["refresh_token"]
    wrong = {"email": email, "password": WRONG_WORD}
    assert (await stranger.call("POST", "/auth/login", wrong)).status == 401
    refresh = {"refresh_token": said["refresh_token"]}
    swapped = (await stranger.call("POST", "/auth/refresh", refresh)).ok(200)
    person.take(swapped)
    tokens["second refresh token"] = swapped["refresh_token"]
    card = {"method": "CREDIT_CARD", "token": "tok_visa"}
    (await person.call("POST", "/payments/methods", card)).ok(201)
    number = {"method": "CREDIT_CARD", "token": CARD_NUMBER}
    assert (await person.call("POST", "/payments/methods", number)).status == 422
    paid = (await person.order((sku, 2), shipping_address=ADDRESS)).ok(201)
    cancel = await person.call("PUT", f"/orders/{paid['id']}/cancel")
    cancel.ok(200)
    change = {"current_password": WORD, "new_password": NEXT_WORD}
    (await person.call("POST", "/auth/change-password", change)).ok(204)
    await stranger.call("GET", f"/products?q={WRONG_WORD}")  # a secret in a wrong place
    (await person.call("POST", "/auth/logout")).ok(204)
    return person


def secrets_of(shop: LiveShop) -> dict[str, str]:
    """The shop's own: what signs and encrypts, and the administrator's password."""
    own = shop._read("secrets.json")
    return {
        "signing key": own["jwt_keys"],
        "encryption key": own["encryption_keys"],
        "administrator's password": shop.credentials["admin"]["password"],
    }


async def places(shop: LiveShop, secret: str) -> set[str]:
    """Tables, files and events that hold it."""
    needles, found = Needles(secret), set()
    for name in (*DOMAINS, "bank"):
        word = quote(shop._read("secrets.json")["databases"][name], safe="")
        port = shop.run["ports"]["postgres"]
        url = f"postgresql://{name}:{word}@127.0.0.1:{port}/{name}"
        found |= {f"{name}.{each}" for each in await needles.in_database(url)}
    postgres = (shop.data_dir / "postgres").absolute()
    found |= set(needles.in_files(Path(shop.data_dir), but=[postgres]))
    if needles.in_bytes(json.dumps(await shop.events()).encode()):
        found.add("the stream")
    return found


@pytest.mark.full
async def test_no_secret_rests_where_it_must_not(
    live_shop: LiveShop, stranger: Stranger, keeper: Person
) -> None:
    tokens = {
        "password": WORD,
        "next password": NEXT_WORD,
        "wrong password": WRONG_WORD,
        "card number": CARD_NUMBER,
    }
    person = await lived(stranger, keeper, tokens)
    await live_shop.rest()
    assert len(tokens) >= TOKENS_MIN
    # Where a search must find something, it does: else it proves nothing.
    assert "users.users.email" in await places(live_shop, person.email)
    for name, secret in tokens.items():
        assert await places(live_shop, secret) == set(), name
    for name, secret in secrets_of(live_shop).items():
        assert await places(live_shop, secret) <= {
            "secrets.json",
            "credentials.json",
        }, name
    for name in ("secrets.json", "credentials.json"):
        assert (live_shop.data_dir / name).stat().st_mode & 0o077 == 0
