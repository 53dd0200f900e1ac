"""The page of commands and queries: who is asked what, and what comes back."""

from actors import DOMAINS
from bus.kit.messages import Message, reply_type
from scripts.referencing import catalogue
from scripts.referencing.markdown import fields, page, readable, summary, table

INTRODUCTION = """\
What each domain can be asked, through `ask` inside the shop. A *key* names the field
that finds the shard; a query without one goes to any shard. *Runs as* is `step` (in
the batch's transaction), `process` (several steps, no transaction) or `query` (reads
only). *Once by* says what makes a command act a single time: a `handled row` that the
kit keeps with the answer, or an `own row` that the domain inserts once. A field with a
`?` has a default."""

HEADS = ("message", "key", "fields", "reply", "runs as", "once by")


def commands_page() -> str:
    """`docs/reference/commands.md`."""
    parts = [INTRODUCTION]
    for domain in DOMAINS:
        parts.append(f"## {domain}")
        known = [*catalogue.commands(domain), *catalogue.queries(domain)]
        asked = [kind for kind in known if not catalogue.is_step(kind)]
        steps = [kind for kind in known if catalogue.is_step(kind)]
        parts.append(table(HEADS, [_row(kind) for kind in asked]))
        if steps:
            parts.append("Steps, which only the domain's own processes send:")
            parts.append(table(HEADS, [_row(kind) for kind in steps]))
    return page("Commands and queries", *parts)


def _row(kind: type[Message]) -> tuple[str, ...]:
    handler = catalogue.handler(kind)
    remembered = getattr(kind, "remembered", None)
    internal = catalogue.is_step(kind) or remembered is None
    once = "—" if internal else "handled row" if remembered else "own row"
    return (
        f"**{kind.__name__}**<br>{summary(kind)}",
        f"`{kind.key}`" if kind.key else "any",
        fields(kind),
        f"`{readable(reply_type(kind))}`",
        handler.kind.name.lower() if handler else "—",
        once,
    )
