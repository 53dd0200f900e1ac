"""The router of messages and their templates."""

from serve_app.kit.routing import Router

router = Router("messaging")
