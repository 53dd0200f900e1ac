"""The short way through e-mail addresses says what the library says, always."""

from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from serve_app.kit import emails
from serve_app.kit.emails import by_library, normal_email

PLAIN = (
    ("Ada.Lovelace+Shop@Example.COM", "ada.lovelace+shop@example.com"),
    ("POSTMASTER@a-b.c-d.io", "postmaster@a-b.c-d.io"),
    ("!#$%&'*+/=?^_`{|}~-@x.yz", "!#$%&'*+/=?^_`{|}~-@x.yz"),
)
NEAR_MISSES = (
    "a@b",
    "a@b.test",
    "a@b.LOCAL",
    "a@onion",
    "a@b.c0",
    "a@b.1",
    "a@b..cd",
    "a@-b.cd",
    "a@b-.cd",
    "a@b--c.cd",
    "a@xn--nxasmq6b.cd",
    "a@xn--a.cd",
    "a@ab--c.cd",
    "a..b@c.de",
    ".a@c.de",
    "a.@c.de",
    "a@b.cd\n",
    "a@b.cd ",
    "a@@b.cd",
    "a b@c.de",
    '"a"@b.cd',
    "<a@b.cd>",
    "A <a@b.cd>",
    "a@[127.0.0.1]",
    "ä@b.cd",
    "a@ä.cd",
    "a@b.\u017f",
    "\u212a@b.cd",
    "@b.cd",
    "a@",
    "",
    f"{'a' * 64}@b.cd",
    f"{'a' * 65}@b.cd",
    f"a@{'b' * 63}.cd",
    f"a@{'b' * 64}.cd",
    f"{'a' * 64}@{'b.' * 94}cd",
)

# Addresses and what nearly is one: the parts that the rules are about, put together.
_PARTS = st.sampled_from(
    [
        *"aZ0.-_+@@.\"<> '`\u017fé\u212a",
        "xn--",
        "--",
        ".com",
        ".test",
        "LOCAL",
        "b" * 60,
    ]
)
_TEXTS = st.lists(_PARTS, max_size=12).map("".join)
_LIKELY = st.builds(
    "{}@{}.{}".format, _TEXTS, _TEXTS, st.sampled_from(["com", "invalid", "c0m", "é"])
)


@pytest.mark.parametrize(("given_", "kept"), PLAIN)
def test_a_plain_address_is_kept_in_lower_case_without_the_library(
    given_: str, kept: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert by_library(given_) == kept
    monkeypatch.setattr(emails, "validate_email", None)
    assert normal_email(given_) == kept


@pytest.mark.parametrize("address", NEAR_MISSES)
def test_what_is_not_plain_is_answered_as_by_the_library(address: str) -> None:
    assert _said(normal_email, address) == _said(by_library, address)


@given(_TEXTS | _LIKELY)
@example("a@b.tesT")
@settings(max_examples=200, deadline=None)
def test_any_address_is_answered_as_by_the_library(address: str) -> None:
    assert _said(normal_email, address) == _said(by_library, address)


def _said(rule: Callable[[str], str], address: str) -> str:
    try:
        return rule(address)
    except ValueError as error:
        return f"refused: {error}"
