"""Words of an exception without what they may say of a person."""

import re

# What a database says of the row, or a validator of the value, that it did not like.
_OF_A_ROW = re.compile(
    r"^.*\b(?:DETAIL|CONTEXT|HINT|QUERY|input_value|input)\b\s*[:=].*$", re.MULTILINE
)
_HIDDEN = (
    re.compile(r"(?<=://)[^/\s@]+:[^/\s@]+(?=@)"),  # user and password of an address
    re.compile(r"[\w.+%-]+(?<!\[hidden\])@[\w-]+(?:\.[\w-]+)+"),  # an e-mail address
    re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*"),  # a signed token
    re.compile(r"(?i)\b(?:bearer|basic)\s+[\w.~+/=-]+"),
    re.compile(r"(?i)\b(?:sk|rk|whsec|tok)_[\w-]{6,}"),
    re.compile(r"\+\d[\d ().-]{6,}\d"),  # a phone number
    re.compile(r"(?<![\w-])(?:\d[ -]?){12,19}(?![\w-])"),  # a card's number
)


def discreet(text: str) -> str:
    """The text with what looks personal or secret in it hidden."""
    text = _OF_A_ROW.sub("[hidden]", text)
    for each in _HIDDEN:
        text = each.sub("[hidden]", text)
    return text
