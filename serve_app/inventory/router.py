"""The router of inventory."""

from serve_app.kit.routing import Router

router = Router("inventory")
