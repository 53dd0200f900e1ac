"""What is looked at in a grown shop: by its buyers, its sellers, its administrator."""

from collections.abc import Mapping

import aiohttp
import msgspec

from scripts.benching.goods import Seller
from scripts.benching.load import in_process
from scripts.benching.scenes import Task, Visit

READ_CLIENTS = 2
READ_SECONDS_MAX = 3.0
REQUESTS_MAX = 3_000
WARM_REQUESTS = 50
CALL_SECONDS_MAX = 60.0
PEOPLE = ("admin", "seller", "customer")


class Read(msgspec.Struct, frozen=True, kw_only=True):
    """How fast one kind of page was answered, past the near cache."""

    count: int
    p50_ms: float
    p99_ms: float
    errors: int


async def tokens_of(
    url: str, accounts: Mapping[str, Mapping[str, str]]
) -> dict[str, str]:
    """An access token for each of the demo accounts."""
    timeout = aiohttp.ClientTimeout(total=CALL_SECONDS_MAX)
    async with aiohttp.ClientSession(url, timeout=timeout) as session:
        desk = Seller(session)
        found = {}
        for who in PEOPLE:
            login = {key: accounts[who][key] for key in ("email", "password")}
            said = await desk.call("POST", "/auth/login", login, 200)
            found[who] = said["access_token"]
        return found


async def pages_of(url: str, tokens: Mapping[str, str]) -> dict[str, Visit]:
    """Each kind of page; what the customer looks at is their oldest shown order."""
    timeout = aiohttp.ClientTimeout(total=CALL_SECONDS_MAX)
    headers = {"Authorization": f"Bearer {tokens['customer']}"}
    async with aiohttp.ClientSession(url, timeout=timeout, headers=headers) as session:
        said = await Seller(session).call("GET", "/orders?limit=100", None, 200)
    order = said["items"][-1]
    product = order["items"][0]
    made = {
        "a person's orders": ("/orders", "customer"),
        "an order": (f"/orders/{order['id']}", "customer"),
        "its timeline": (f"/orders/{order['id']}/timeline", "customer"),
        "a person's payments": (f"/payments?order_id={order['id']}", "customer"),
        "notifications": ("/notifications", "customer"),
        "a product": (f"/products/{product['product_id']}", ""),
        "products": ("/products?sort=newest&limit=20", ""),
        "a search": (f"/products?q={product['name'].split()[-1].lower()}", ""),
        "a seller's orders": ("/orders", "seller"),
        "all orders": ("/orders", "admin"),
        "what waits": ("/orders?status=PENDING", "admin"),
        "movements": (f"/inventory/{product['sku']}/movements", "admin"),
        "messages": ("/messages", "admin"),
        "the audit log": (f"/audit?entity={order['id']}", "admin"),
    }
    return {
        kind: Visit(kind, path, tokens.get(who, ""))
        for kind, (path, who) in made.items()
    }


async def read_pages(
    url: str, pages: Mapping[str, Visit], seconds: float
) -> dict[str, Read]:
    """Look at each kind for a moment, one kind after the other."""
    found = {}
    for kind, page in pages.items():
        task = Task(
            url=url,
            clients=READ_CLIENTS,
            seconds=min(seconds, READ_SECONDS_MAX),
            requests_max=REQUESTS_MAX,
            scene="browse",
            visits=(page,),
            fresh=True,
        )
        await in_process(msgspec.structs.replace(task, requests_max=WARM_REQUESTS))
        load = await in_process(task)
        answers = sum(load.statuses.values())
        found[kind] = Read(
            count=load.good,
            p50_ms=load.at(0.5),
            p99_ms=load.at(0.99),
            errors=answers - load.good + sum(load.errors.values()),
        )
    return found
