"""All routes of the contract: who may use each, as data."""

from tests.edge.contract import goods, people, running, shop
from tests.edge.contract.route import Role, Route

ROUTES = (*shop.ROUTES, *people.ROUTES, *goods.ROUTES, *running.ROUTES)
STREAMS = shop.STREAMS

__all__ = ["ROUTES", "STREAMS", "Role", "Route"]
