"""How the world reaches messages: reports of what came back, the log, templates."""

from serve_app.messaging import reports  # isort: skip - its paths are the narrower
from serve_app.messaging import log, templates
from serve_app.messaging.router import router

__all__ = ["log", "reports", "router", "templates"]
