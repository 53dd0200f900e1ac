"""The router of orders' routes."""

from serve_app.kit.routing import Router

router = Router("orders")
