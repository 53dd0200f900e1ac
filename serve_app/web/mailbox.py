"""The development mailbox: every mail and SMS that the embedded default caught."""

from html import escape

from starlette.requests import Request
from starlette.responses import Response

from bus.kit.values import Page
from bus.messaging import CaughtMessage, ListMailbox
from serve_app.kit.answers import respond
from serve_app.kit.routing import PUBLIC, Router, ask
from serve_app.web.pages import page


def mailbox() -> Router:
    """The route of the mailbox; it is not there in production."""
    router = Router("development")

    @router.get("/dev/mailbox", access=PUBLIC)
    async def list_mailbox(
        request: Request, to: str | None = None
    ) -> Page[CaughtMessage] | Response:
        """Show what was caught, newest first.

        A page for browsers; with `Accept: application/json` the same as JSON.
        """
        caught = await ask(ListMailbox(to=to))
        if "text/html" not in request.headers.get("accept", ""):
            return respond(caught, 200)
        articles = "".join(_article(message) for message in caught.items)
        return page("Mailbox", articles or "<p>Nothing was sent yet.</p>")

    return router


def _article(message: CaughtMessage) -> str:
    """One message; its own HTML is not shown, because anyone may have written it."""
    return (
        f"<article><b>{escape(message.subject or message.channel)}</b><br>"
        f"<small>{escape(message.channel)} to {escape(message.to)}, "
        f"{message.at:%Y-%m-%d %H:%M:%S} UTC</small>"
        f"<pre>{escape(message.text)}</pre></article>"
    )
