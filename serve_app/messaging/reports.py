"""Routes of what comes back after a message was sent."""

from typing import Annotated

from fastapi import Path
from starlette.requests import Request

from bus.kit.values import Page
from bus.messaging import (
    TWILIO_PATH,
    ListSuppressions,
    NoteReport,
    ReadBounce,
    ReadSmsStatus,
    RemoveSuppression,
    Report,
    Suppression,
)
from serve_app.kit.bodies import EMAIL_MAX
from serve_app.kit.routing import ADMIN, PUBLIC, Pages, ask, read_body
from serve_app.messaging.router import router

HEADER_CHARACTERS_MAX = 1_000

SuppressedAddress = Annotated[str, Path(min_length=3, max_length=EMAIL_MAX)]


@router.get("/messages/suppressions", access=ADMIN)
async def list_suppressions(pages: Pages) -> Page[Suppression]:
    """List the addresses that mail bounced from, by address.

    `suppressed` ones get no mail but security mail (codes, changed passwords): after
    one hard bounce (there is no such mailbox), or five others.
    """
    return await ask(ListSuppressions(limit=pages.limit, cursor=pages.cursor))


@router.delete("/messages/suppressions/{address}", access=ADMIN)
async def remove_suppression(address: SuppressedAddress) -> None:
    """Let an address get mail again; its bounces count from zero."""
    await ask(RemoveSuppression(address=address.lower()))


@router.post("/messages/bounces", access=PUBLIC, status=204, also=(403, 408, 413))
async def receive_bounce(request: Request) -> None:
    """Take a bounce: the mail itself, or a provider's JSON.

    The mail is a delivery status notification (RFC 3464, `multipart/report`), as the
    pipe of the mail server that takes mail for `SOUK_BOUNCE_ADDRESS` hands it over; the
    JSON is `{"return_path", "action": "failed", "status": "5.1.1"}`. Either must name
    the return path that the bounced message was sent with: its signature is the proof,
    and 403 `signature-invalid` is the answer without. The message becomes `BOUNCED`.
    What is no bounce (a holiday note) changes nothing; a report that comes twice counts
    once.
    """
    report = await ask(
        ReadBounce(
            content=await read_body(request),
            content_type=_header(request, "content-type"),
        )
    )
    await _note(report)


@router.post(TWILIO_PATH, access=PUBLIC, status=204, also=(403, 408, 413))
async def receive_sms_status(request: Request) -> None:
    """Take Twilio's word on an SMS: it has arrived, or it did not.

    `X-Twilio-Signature` must prove the sender: 403 `signature-invalid` without. The
    message becomes `DELIVERED`, or `BOUNCED` with a reason such as
    `sms-undelivered-30003`.
    """
    query = request.url.query
    report = await ask(
        ReadSmsStatus(
            path=f"{TWILIO_PATH}?{query}" if query else TWILIO_PATH,
            body=await read_body(request),
            signature=_header(request, "x-twilio-signature"),
        )
    )
    await _note(report)


async def _note(report: Report | None) -> None:
    if report is not None:
        await ask(
            NoteReport(
                message_id=report.message_id, end=report.end, reason=report.reason
            )
        )


def _header(request: Request, name: str) -> str:
    return request.headers.get(name, "")[:HEADER_CHARACTERS_MAX]
