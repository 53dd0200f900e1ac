"""Who can open a connection, and who draws what must not be guessed."""

import ast
import re
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/security.md"
LAYERS = ("actors", "bus", "persistence", "serve_app")
OPENERS = {
    *("aiohttp", "httpx", "requests", "urllib3", "urllib.request", "http.client"),
    *("aiosmtplib", "smtplib", "ftplib", "imaplib", "socket", "ssl", "subprocess"),
    *("obstore", "boto3", "stripe", "nats", "asyncpg", "sentry_sdk"),
    *("opentelemetry.exporter", "websockets", "asyncio.open_connection"),
}
"""Modules by which a process reaches another, or starts one."""
JITTER = {"actors/kit/asker.py", "serve_app/kit/following.py"}
"""Only when to ask again is drawn there."""


def imported() -> dict[Path, set[str]]:
    """By file of the shop all modules that it imports, anywhere in it."""
    found: dict[Path, set[str]] = {}
    for layer in LAYERS:
        for path in sorted((ROOT / layer).rglob("*.py")):
            names: set[str] = set()
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Import):
                    names |= {alias.name for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module:
                    names.add(node.module)
                    names |= {f"{node.module}.{alias.name}" for alias in node.names}
            found[path.relative_to(ROOT)] = names
    return found


def test_only_those_that_are_named_can_call_out() -> None:
    """A stranger's address is fetched by nobody who does not stand on the page."""
    callers: defaultdict[str, set[str]] = defaultdict(set)
    for path, names in imported().items():
        for name in names:
            for opener in OPENERS:
                if name == opener or name.startswith(f"{opener}."):
                    callers[part_of(path)].add(opener)
    _, _, text = PAGE.read_text().partition("## Whom the shop calls\n")
    table = text.partition("\n## ")[0]
    named = re.findall(r"^\| `(.+?)` \| .+ \| (.+?) \|$", table, re.MULTILINE)
    assert callers == {part: set(by.split(", ")) for part, by in named}


def part_of(path: Path) -> str:
    """Whose file it is: a domain's in a layer; in `persistence` all are alike."""
    if path.parts[0] == "persistence":
        return "persistence"
    deep = 3 if path.parts[:3] == ("actors", "users", "issuer") else 2
    return "/".join(path.parts[:deep])


def test_only_those_that_are_named_draw_what_may_be_guessed() -> None:
    """All others draw from the system's generator, if they draw."""
    drawing = {
        path.as_posix()
        for path, names in imported().items()
        if any(name.split(".")[0] == "random" for name in names)
    }
    assert drawing == JITTER
