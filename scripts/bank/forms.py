"""What the bank is asked and answers, line by line."""

import datetime as dt
from typing import Annotated, Any, TypeVar

import msgspec

LINES_MAX = 1_000
KEY_CHARACTERS_MAX = 128

Key = Annotated[str, msgspec.Meta(min_length=1, max_length=KEY_CHARACTERS_MAX)]
Amount = Annotated[int, msgspec.Meta(gt=0, le=1_000_000_000_000)]
Currency = Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{3}$")]
Token = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
Label = Annotated[str, msgspec.Meta(max_length=64)]
Form = TypeVar("Form", bound=msgspec.Struct)


class ChargeForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A charge to make; `key` makes it act once. `order_id` is the shop's own mark."""

    key: Key
    amount: Amount
    currency: Currency
    token: Token
    order_id: Label = ""
    attempt: int = 0


class RefundForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Money of the charge `charge_key` to give back; `key` makes it act once."""

    key: Key
    charge_key: Key
    amount: Amount
    currency: Currency


class CaptureForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Held money of the charge `charge_key` to take; `key` makes it act once."""

    key: Key
    charge_key: Key
    amount: Amount
    currency: Currency


class VoidForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A charge `charge_key` to let go, held or pending; `key` makes it act once."""

    key: Key
    charge_key: Key


class KeyForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The key of what is asked about."""

    key: Key


class Window(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The time whose transactions are asked for; `after` is where to go on."""

    since: dt.datetime
    until: dt.datetime
    after: str = ""


class TokenForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A token that is asked about."""

    token: Token


class ChargeLine(msgspec.Struct, frozen=True, kw_only=True):
    """A charge as the bank has it.

    succeeded, declined or pending; where it was to be held first, also authorized,
    voided or expired. `hold` says that it was to be.
    """

    key: str
    status: str
    amount: int
    currency: str
    captured: int
    refunded: int
    reference: str
    decline_code: str | None = None
    order_id: str = ""
    attempt: int = 0
    token: str = ""
    hold: bool = False
    created_at: dt.datetime
    answer_at: dt.datetime
    expires_at: dt.datetime | None = None


class RefundLine(msgspec.Struct, frozen=True, kw_only=True):
    """A refund as the bank has it: succeeded or rejected."""

    key: str
    status: str
    charge_key: str
    amount: int
    currency: str
    reference: str
    reason_code: str | None = None
    created_at: dt.datetime


class MoveLine(msgspec.Struct, frozen=True, kw_only=True):
    """A capture or a void as the bank has it: succeeded or rejected."""

    key: str
    kind: str
    status: str
    charge_key: str
    amount: int
    currency: str
    reference: str
    reason_code: str | None = None
    created_at: dt.datetime


class TransactionLine(msgspec.Struct, frozen=True, kw_only=True):
    """Money that the bank has moved, or is about to: a charge or a refund.

    `place` is where it stands in the list: the next page begins behind it.
    """

    kind: str
    key: str
    reference: str
    amount: int
    currency: str
    status: str
    at: dt.datetime
    place: str


class ErrorLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line that was not acted upon; `index` is its place in the call."""

    index: int
    key: str | None
    status: str = "error"
    code: str


class Forms(msgspec.Struct):
    """A call's good lines by their place in it, and what is wrong with the others."""

    good: list[tuple[int, Any]]
    bad: list[ErrorLine]


class TooManyLines(ValueError):
    """A call held more lines than the bank takes at once."""


def read_forms(body: bytes, form: type[Form]) -> Forms:
    """The lines of NDJSON, or the elements of a JSON array; a bad one harms no other.

    Raises TooManyLines, and msgspec.DecodeError for an array that is not JSON.
    """
    if body.lstrip()[:1] == b"[":
        raw: list[Any] = list(msgspec.json.decode(body, type=list[msgspec.Raw]))
    else:
        raw = [line for line in body.split(b"\n") if line.strip()]
    if len(raw) > LINES_MAX:
        raise TooManyLines
    forms = Forms([], [])
    decoder = msgspec.json.Decoder(form)
    for index, line in enumerate(raw):
        try:
            forms.good.append((index, decoder.decode(line)))
        except (msgspec.DecodeError, UnicodeDecodeError):
            forms.bad.append(ErrorLine(index=index, key=None, code="invalid-line"))
    return forms
