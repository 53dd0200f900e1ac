"""What requests may say: strict bodies, and the texts and numbers they are made of.

Strict means that JSON types are taken at their word (`false` is no integer, `"1"` is no
number), unknown fields are refused, and no text holds a NUL.
"""

import re
from typing import Annotated, Any, Self, TypeVar

import msgspec
import phonenumbers
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
)
from pydantic_core import PydanticCustomError

from bus.kit.refusals import FieldError
from bus.kit.values import Address, Money
from serve_app.kit.emails import normal_email
from serve_app.kit.postal_codes import is_needed, is_postal_code
from serve_app.kit.problems import Problem, field_errors

TEXT_MAX = 10_000
LINE_MAX = 200
EMAIL_MAX = 254
AMOUNT_MINOR_MAX = 10**12
QUANTITY_MAX = 10_000

_ONE_LINE = r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$"
_NO_NUL = r"^[^\x00]*$"
_ESCAPED_NUL = re.compile(rb"\\u0000")


def _country(code: str) -> str:
    if code not in COUNTRIES:
        raise ValueError("Not an ISO 3166 alpha-2 country code")
    return code


def _postal_code(code: str, info: ValidationInfo) -> str:
    country = info.data.get("country")
    if country is None:  # that is what is wrong then
        return code
    code = code.strip()
    if code in ("", "-"):
        if is_needed(country):
            raise PydanticCustomError("required", "Field required")
        return ""
    if not is_postal_code(code, country):
        raise ValueError(f"Not a postal code of {country}")
    return code.upper()


def _phone(number: str) -> str:
    try:
        possible = phonenumbers.is_possible_number(phonenumbers.parse(number))
    except phonenumbers.NumberParseException:
        possible = False
    if not possible:
        raise ValueError("Not a telephone number of any country")
    return number


Line = Annotated[str, Field(min_length=1, max_length=LINE_MAX, pattern=_ONE_LINE)]
"""A text of one line that is not blank, such as a name or a city."""

Text = Annotated[str, Field(max_length=TEXT_MAX, pattern=_NO_NUL)]
"""A text of many lines; it may be empty."""

Email = Annotated[str, Field(max_length=EMAIL_MAX), AfterValidator(normal_email)]
"""An e-mail address (RFC 5321 length), normalised and in lower case."""

Phone = Annotated[str, Field(pattern=r"^\+[1-9][0-9]{6,14}$"), AfterValidator(_phone)]
"""A telephone number in E.164, of a country and as long as numbers are there."""

PostalCode = Annotated[
    str,
    Field(max_length=20, pattern=r"^[^\x00-\x1f\x7f]*$", validate_default=True),
    AfterValidator(_postal_code),
]
"""A postal code, in a body that says its `country` before; in capitals."""

Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$"), AfterValidator(_country)]
"""An ISO 3166 alpha-2 code."""

Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
"""An ISO 4217 code."""

Sku = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
"""A stock keeping unit."""

Slug = Annotated[str, Field(pattern=r"^[a-z0-9]+(?:-[a-z0-9]+)*$", max_length=100)]
"""A name as it stands in an address."""

Quantity = Annotated[int, Field(ge=1, le=QUANTITY_MAX)]
"""A number of pieces."""

AmountMinor = Annotated[int, Field(ge=0, le=AMOUNT_MINOR_MAX)]
"""An amount of money in minor units."""


class Body(BaseModel):
    """A request's JSON body; a route that has a parameter of this kind is given one."""

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        str_max_length=TEXT_MAX,
        hide_input_in_errors=True,
    )


class MoneyBody(Body):
    """An amount in integer minor units of an ISO 4217 currency."""

    amount: AmountMinor
    currency: Currency

    def value(self) -> Money:
        """The same amount as the domains know it."""
        return Money(self.amount, self.currency)

    @classmethod
    def of(cls, money: Money) -> Self:
        """The body that says `money`."""
        return cls(amount=money.amount, currency=money.currency)


class AddressBody(Body):
    """A postal address; `country` is ISO 3166, `phone` E.164.

    `postal_code` must look like one of the country's. It may be left out, or be `-`,
    where there are none or mail finds its way without.
    """

    name: Line
    line1: Line
    city: Line
    country: Country
    postal_code: PostalCode = ""
    line2: Line | None = None
    region: Line | None = None
    company: Line | None = None
    phone: Phone | None = None

    def value(self) -> Address:
        """The same address as the domains know it."""
        return Address(**self.model_dump())


OfBody = TypeVar("OfBody", bound=Body)


def parse_body(model: type[OfBody], raw: bytes, content_type: str) -> OfBody:
    """The body that `raw` says; raises Problem 400, 415 or 422.

    No body is the same as `{}`.
    """
    if raw and not _is_json(content_type):
        raise Problem(
            415, "unsupported-media-type", "The body must be application/json."
        )
    try:
        body = model.model_validate_json(raw or b"{}")
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False)
        if any(each["type"] == "json_invalid" for each in found):
            raise Problem(400, "malformed-json", found[0]["msg"]) from None
        raise invalid_request(field_errors(found)) from None
    if _ESCAPED_NUL.search(raw):
        _refuse_nul(msgspec.json.decode(raw))
    return body


def invalid_request(errors: list[FieldError]) -> Problem:
    """Refused before any domain was asked, because of these fields."""
    return Problem(422, "invalid-request", "Some fields are not acceptable.", errors)


def _is_json(content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    return kind == "application/json" or (
        kind.startswith("application/") and kind.endswith("+json")
    )


def _refuse_nul(value: Any, field: str = "") -> None:
    """Raise if any text holds U+0000: Postgres cannot store it, and few expect it."""
    if isinstance(value, str):
        if "\x00" in value:
            raise invalid_request([FieldError(field, "nul", "NUL is not allowed")])
    elif isinstance(value, dict):
        for name, inner in value.items():
            _refuse_nul(name, field)
            _refuse_nul(inner, f"{field}.{name}" if field else name)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            _refuse_nul(inner, f"{field}.{index}" if field else str(index))


# ISO 3166-1 alpha-2, as officially assigned.
COUNTRIES = frozenset(
    re.findall(
        r"[A-Z]{2}",
        """
        AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL
        BM BN BO BQ BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV
        CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD
        GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM
        IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK
        LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW
        MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR
        PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS
        ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY
        UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW
        """,
    )
)
