"""A mail's bytes: as few and as plain as its letters allow."""

from datetime import UTC, datetime
from email import message_from_bytes, policy
from uuid import UUID

import pytest

from actors.messaging.letter import compose

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def html_part(html: str) -> tuple[str, str]:
    """How the page is written, and what a reader's program makes of it."""
    letter = compose(
        message_id=UUID(int=1),
        sender="shop@souk.example",
        recipient="ada@souk.example",
        subject="Hello",
        text="Hello",
        html=html,
        at=AT,
    )
    mail = message_from_bytes(letter.content, policy=policy.default)
    part = mail.get_body(("html",))
    assert part is not None
    return part["Content-Transfer-Encoding"], part.get_content().replace("\r\n", "\n")


def test_a_page_is_plain_ascii_with_references_for_other_letters() -> None:
    assert html_part("<p>2 ÷ £5, déjà 🎉</p>") == (
        "7bit",
        "<p>2 &#247; &#163;5, d&#233;j&#224; &#127881;</p>",
    )


@pytest.mark.parametrize(
    "page",
    [
        "<style>p:after { content: '÷' }</style><p>é</p>",
        "<STYLE type='text/css'>\n/* é */\n</STYLE>",
        "<p>é</p><style>é",
    ],
)
def test_a_style_knows_no_references_so_its_page_stays_as_it_is(page: str) -> None:
    assert html_part(page) == ("base64", page)
