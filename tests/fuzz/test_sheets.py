"""Anything as a CSV of products: it is read, or refused with its line."""

import asyncio
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from actors.products.sheet_file import Unreadable, check_header, read_sheet
from bus.kit.refusals import Refusal
from bus.products.sheets import guarded, html_of, text_of, unguarded
from tests.fuzz.asking import some

HEAD = b"Handle,Title,Variant SKU,Variant Price\n"
BITS = st.sampled_from(
    [
        *(b"Handle,Title,Variant SKU,Variant Price", b"Body (HTML)", b"Image Src"),
        *(b",", b'"', b'""', b"\n", b"\r", b"\r\n", b"\x00", b"\xff", b"\xef\xbb\xbf"),
        *(
            b"=cmd|' /C calc'!A0",
            b"a",
            b"1.50",
            b"-1",
            b"A-1",
            b"\xc3\xa9",
            b"\xe2\x80\xa8",
        ),
        *(
            b"<p>",
            b"&#0;",
            b"&#x110000;",
            b"<![CDATA[",
            b"</",
            b";",
            b"\t",
            b"a" * 2_000,
        ),
    ]
)
FILES = st.one_of(
    st.lists(BITS, max_size=40).map(b"".join),
    st.lists(BITS, max_size=40).map(lambda bits: HEAD + b"".join(bits)),
    st.binary(max_size=200).map(lambda raw: HEAD + raw),
    st.binary(max_size=200),
)
HTML = st.lists(BITS, max_size=20).map(lambda bits: b"".join(bits).decode("latin-1"))


def check(data: bytes) -> None:
    with suppress(Refusal):
        check_header(data)
    with suppress(Unreadable):
        sheet = asyncio.run(read_sheet(data))
        assert sum(len(group.rows) for group in sheet.groups) <= sheet.rows_total


@some(100)
@given(FILES)
@example(HEAD + b'"' + b"a" * ((1 << 20) + 1))
@example(HEAD + b"a,b,c,1\x00")
def test_any_file_is_read_or_refused(data: bytes) -> None:
    check(data)


@pytest.mark.full
@some(5_000)
@given(FILES)
def test_any_of_many_files_is_read_or_refused(data: bytes) -> None:
    check(data)


@some(60)
@given(HTML | st.text(max_size=60))
def test_any_text_is_a_cell_and_comes_back(text: str) -> None:
    assert isinstance(text_of(text), str)
    assert unguarded(guarded(text)) == text
    assert not html_of(text).startswith(("=", "+", "-", "@", "\t", "\r"))
