"""Small pieces of Markdown, and types as people read them."""

import inspect
import types
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec

NOTE = "Made from the code by `scripts/reference`; do not edit."


def page(title: str, *parts: str) -> str:
    """A page: its title, the note that it is made, and its parts."""
    return "\n\n".join([f"# {title}", NOTE, *parts]) + "\n"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; bars inside cells are escaped."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |"
        for line in lines
    )


def summary(documented: Any) -> str:
    """The first paragraph of a docstring, on one line."""
    text = inspect.cleandoc(documented.__doc__ or "")
    return " ".join(text.split("\n\n")[0].split())


def readable(kind: Any) -> str:
    """A type as in its annotation, without modules: `tuple[OrderLine, ...]`."""
    if kind is None or kind is types.NoneType:
        return "None"
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return readable(arguments[0])
    if origin in (Union, types.UnionType):
        return " | ".join(readable(each) for each in arguments)
    if origin is not None:
        inner = ", ".join(
            "..." if each is Ellipsis else readable(each) for each in arguments
        )
        return f"{getattr(origin, '__name__', origin)}[{inner}]"
    return str(getattr(kind, "__name__", kind))


def fields(kind: type[msgspec.Struct]) -> str:
    """The fields of a struct in one line; `?` marks those with a default."""
    names = [
        f"`{field.name}{'' if field.required else '?'}: {readable(field.type)}`"
        for field in msgspec.structs.fields(kind)
    ]
    return ", ".join(names) or "—"
