"""Serve's hook: the layer that it puts outside its own handling of every request.

Serve calls it in each replica, before the replica's gateway is made, and in its spare
proxy, which has no gateway and so answers that the shop is not ready.
"""

from starlette.middleware import Middleware

from serve_app.kit.edge import Edge
from serve_app.kit.gateway import Gateway

_here: list[Gateway] = []


def middlewares() -> list[Middleware]:
    """What `RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH` names."""
    return [Middleware(Edge, find=_find, around_serve=True)]


def answer_here(gateway: Gateway) -> None:
    """This process answers with `gateway` from now on."""
    _here[:] = [gateway]


def _find() -> Gateway | None:
    return _here[0] if _here else None
