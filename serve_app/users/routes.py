"""The router that all of users' routes hang on."""

from serve_app.kit.routing import Router

router = Router("users")
