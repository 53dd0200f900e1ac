"""Example bodies that a route's own model accepts, made from its JSON Schema."""

import re
from itertools import chain, combinations
from typing import Any

from pydantic import BaseModel, ValidationError

SAYINGS = {
    "email": "ada@example.com",
    "password": "a-Long-enough-pass-phrase-7",
    "new_password": "another-Long-pass-phrase-8",
    "current_password": "a-Long-enough-pass-phrase-7",
    "first_name": "Ada",
    "last_name": "Lovelace",
    "line1": "12 St James's Square",
    "city": "London",
    "postal_code": "SW1Y 4JH",
    "country": "GB",
    "currency": "USD",
    "phone": "+442079460958",
    "token": "tok_visa",
    "refresh_token": "{{refresh_token}}",
    "cart_token": "{{guest_cart_token}}",
    "status": "SHIPPED",
    "sku": "LAMP-1",
    "name": "Desk lamp",
    "description": "A lamp that bends.",
    "reason": "counted",
    "comment": "Bright.",
    "title": "Good",
    "carrier": "DHL",
    "tracking_number": "JD014600003",
    "locale": "en",
    "provider": "sandbox",
}
ALWAYS = {"postal_code"}
"""Fields that may be left out in some countries, and not in the examples' one."""
AMOUNT_MINOR = 1999
UUID = "01930000-0000-7000-8000-000000000001"
# Tried in turn for what has no saying of its own; the first that fits is taken.
TEXTS = ("Example", "example", "EXAMPLE", "EX", "123456", "123-456-789", "x" * 40)
OPTIONAL_MAX = 60

Path = tuple[str, ...]
Schema = dict[str, Any]


class NoExample(LookupError):
    """No body was found that the model accepts: add a saying for its fields."""


def example(model: type[BaseModel]) -> dict[str, Any]:
    """A body that `model` accepts: all that is required, and what else fits with it."""
    schema = model.model_json_schema()
    known = schema.get("$defs", {})
    paths = list(_optional(schema, known, ()))[:OPTIONAL_MAX]
    few = chain([()], combinations(paths, 1), combinations(paths, 2))
    chosen = next(
        (set(some) for some in few if _fits(model, _of(schema, known, (), set(some)))),
        None,
    )
    if chosen is None:
        raise NoExample(model.__name__)
    for path in paths:
        more = chosen | {path}
        if path not in chosen and _fits(model, _of(schema, known, (), more)):
            chosen = more
    made: dict[str, Any] = _of(schema, known, (), chosen)
    return made


def _fits(model: type[BaseModel], body: dict[str, Any]) -> bool:
    try:
        made = model.model_validate(body, strict=False)
        model.model_validate_json(made.model_dump_json(exclude_unset=True))
    except ValidationError:
        return False
    return True


def _optional(schema: dict[str, Any], known: dict[str, Any], at: Path) -> Any:
    """The places of fields that may be left out; ids of other things stay out."""
    schema = _plain(schema, known)
    for name, field in schema.get("properties", {}).items():
        inner = _plain(field, known)
        if name not in schema.get("required", ()):
            if inner.get("format") == "uuid":
                continue
            yield (*at, name)
        if inner.get("type") == "array":
            inner = _plain(inner["items"], known)
        yield from _optional(inner, known, (*at, name))


def _of(
    schema: dict[str, Any], known: dict[str, Any], at: Path, some: set[Path]
) -> Any:
    """A value of a schema, with its required fields and `some` of the others."""
    schema = _plain(schema, known)
    kind = schema.get("type")
    if "const" in schema or "enum" in schema:
        choice = schema.get("enum", [schema.get("const")])
        saying = SAYINGS.get(at[-1] if at else "")
        return saying if saying in choice else choice[0]
    if kind == "object":
        return _object(schema, known, at, some)
    if kind == "array":
        return [_of(schema["items"], known, at, some)] if "items" in schema else []
    if kind == "boolean":
        return True
    if kind in ("integer", "number"):
        return _number(schema, at)
    if schema.get("format") == "uuid":
        return UUID
    return _text(schema, at)


def _object(schema: dict[str, Any], known: Any, at: Path, some: set[Path]) -> Any:
    if "properties" in schema:
        needed = schema.get("required", ())
        return {
            name: _of(field, known, (*at, name), some)
            for name, field in schema["properties"].items()
            if name in needed or name in ALWAYS or (*at, name) in some
        }
    values = [
        *schema.get("patternProperties", {}).values(),
        schema.get("additionalProperties"),
    ]
    names = _plain(schema.get("propertyNames", {}), known)
    if not values or not isinstance(values[0], dict):
        return {}
    name = (names.get("enum") or ["Color"])[0]
    return {name: _of(values[0], known, (*at, name), some)}


def _plain(schema: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
    """The schema behind references, and without the choice of null."""
    while True:
        if "$ref" in schema:
            schema = known[schema["$ref"].rsplit("/", 1)[1]]
        elif "anyOf" in schema:
            schema = next(one for one in schema["anyOf"] if one.get("type") != "null")
        else:
            return schema


def _number(schema: dict[str, Any], at: Path) -> int:
    wanted = AMOUNT_MINOR if at and at[-1] == "amount" else 1
    least, most = schema.get("minimum", 1), schema.get("maximum", wanted)
    return int(min(max(wanted, least), most))


def _text(schema: dict[str, Any], at: Path) -> str:
    saying = SAYINGS.get(at[-1] if at else "")
    for text in (*([saying] if saying else []), *TEXTS):
        long = schema.get("minLength", 0) <= len(text) <= schema.get("maxLength", 9999)
        if long and re.search(schema.get("pattern", ""), text):
            return text
    return saying or TEXTS[0]
