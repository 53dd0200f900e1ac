"""What is written into a CSV is read back as the same, and is never a formula."""

from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bus.kit.values import Money
from bus.products.sheets import (
    decimal_of,
    guarded,
    html_of,
    money_of,
    picture_of,
    text_of,
    unguarded,
)

FORMULA = tuple("=+-@\t\r")
PIECES = (
    "<",
    "b",
    ">",
    "&",
    "amp;",
    "#13;",
    "\n",
    "\r",
    " ",
    "=",
    "'",
    "<p>",
    "-",
    "é",
)
TEXTS = st.lists(st.sampled_from(PIECES), max_size=8).map("".join)


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_texts_come_back_and_begin_no_formula(text: str) -> None:
    assert text_of(html_of(text)) == text
    assert unguarded(guarded(text)) == text
    assert not html_of(text).startswith(FORMULA)
    assert not guarded(text).startswith(FORMULA)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**12), st.sampled_from(("USD", "JPY", "KWD")))
def test_amounts_come_back_to_the_last_digit(amount: int, currency: str) -> None:
    money = Money(amount, currency)
    assert money_of(decimal_of(money), currency) == money


@pytest.mark.parametrize(
    ("text", "currency", "amount"),
    [
        ("19.9", "USD", 1990),
        ("0", "USD", 0),
        ("1.234", "KWD", 1234),
        ("1.999", "USD", None),
        ("10.0", "JPY", None),
        ("-1", "USD", None),
        ("1,50", "USD", None),
        ("1e3", "USD", None),
        ("٣", "USD", None),
        ("NaN", "USD", None),
        (".5", "USD", None),
        ("1" * 14, "USD", None),
    ],
)
def test_an_amount_is_taken_exactly_or_not_at_all(text, currency, amount) -> None:
    money = money_of(text, currency)
    assert (money and money.amount) == amount


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>One</p>\n<p>Two &lt;b&gt;</p>", "One\nTwo <b>"),
        ("<ul><li>a</li><li>b</li></ul>", "a\nb"),
        ("a<br>b", "a\nb"),
        ("<script>alert(1)</script>x<style>y</style>", "x"),
        ("<img src=x onerror=alert(1)>hi", "hi"),
        ("2 < 3 & 4", "2 < 3 & 4"),
        ("one\r\ntwo", "one\ntwo"),
    ],
)
def test_a_description_becomes_plain_text(html: str, text: str) -> None:
    assert text_of(html) == text


def test_a_picture_of_the_shops_own_is_known_by_its_address() -> None:
    file_id = UUID("01a20c98-c9b0-7b53-bb30-e08c739302d5")
    address = f"https://cdn.example/files/{file_id}/content?size=large"
    assert picture_of(address) == file_id
    assert picture_of("https://x.example/a.png") is None
