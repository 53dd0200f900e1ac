"""Addresses as requests say them: what each country wants of one."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from serve_app.kit.bodies import COUNTRIES, AddressBody
from serve_app.kit.postal_codes import FORMATS, OPTIONAL, is_needed
from serve_app.kit.problems import field_errors

HOUSE = {"name": "Ada", "line1": "12 St James's Square", "city": "X"}


def read(country: str, code: str | None, **more: Any) -> AddressBody:
    """The body of an address in a country, with its postal code."""
    body = {**HOUSE, "country": country, "postal_code": code, **more}
    said = {name: value for name, value in body.items() if value is not None}
    return AddressBody.model_validate_json(json.dumps(said))


def errors(country: str, code: str | None, **more: Any) -> list[tuple[str, str]]:
    """What is wrong with it, as field and code."""
    with pytest.raises(ValidationError) as caught:
        read(country, code, **more)
    found = field_errors(caught.value.errors(include_url=False, include_context=False))
    return [(each.field, each.code) for each in found]


@pytest.mark.parametrize(
    ("country", "given", "kept"),
    [
        ("US", "94103", "94103"),
        ("US", "94103-1234", "94103-1234"),
        ("GB", " sw1y 4jh ", "SW1Y 4JH"),
        ("CA", "k1a0b1", "K1A0B1"),
        ("NL", "1012 AB", "1012 AB"),
        ("BR", "01310-100", "01310-100"),
        ("JP", "1000001", "1000001"),
        ("PL", "00-001", "00-001"),
        ("IE", "d02 af30", "D02 AF30"),
        ("LV", "1010", "1010"),
        ("LT", "LT-01100", "LT-01100"),
        ("IE", None, ""),
        ("AE", None, ""),
        ("HK", "-", ""),
        ("HK", "999077", "999077"),
    ],
)
def test_a_postal_code_of_the_country_is_kept(
    country: str, given: str | None, kept: str
) -> None:
    assert read(country, given).value().postal_code == kept


@pytest.mark.parametrize(
    ("country", "code", "said"),
    [
        ("US", "9410", "invalid"),
        ("US", "SW1Y 4JH", "invalid"),
        ("GB", "94103", "invalid"),
        ("DE", "1011", "invalid"),
        ("DE", "101155", "invalid"),
        ("DE", "\u0661\u0660\u0661\u0661\u0665", "invalid"),
        ("PL", "00-0001", "invalid"),
        ("IE", "94103", "invalid"),
        ("GB", None, "required"),
        ("US", "", "required"),
        ("FR", "-", "required"),
        ("HK", "1\n2", "malformed"),
        ("HK", "1" * 21, "string-too-long"),
    ],
)
def test_another_postal_code_is_told_as_what_is_wrong(
    country: str, code: str | None, said: str
) -> None:
    assert errors(country, code) == [("postal_code", said)]


def test_an_unknown_country_is_all_that_is_told() -> None:
    assert errors("XX", None) == [("country", "invalid")]


def test_a_telephone_number_is_one_of_some_country() -> None:
    assert read("GB", "SW1Y 4JH", phone="+442071234567").phone == "+442071234567"
    for number, said in (
        ("+99912345678", "invalid"),
        ("+44207123456789", "invalid"),
        ("+4420", "malformed"),
        ("02071234567", "malformed"),
    ):
        assert errors("GB", "SW1Y 4JH", phone=number) == [("phone", said)]


def test_the_table_of_postal_codes_knows_each_country_once() -> None:
    named = [country for _, some in FORMATS for country in some.split()]
    assert len(named) == len(set(named)) == 178
    assert set(named) <= COUNTRIES
    assert set(named) > OPTIONAL
    assert sum(is_needed(country) for country in COUNTRIES) == 178 - len(OPTIONAL)
