"""The table of generated pages: where each one lies, and what makes its text."""

from collections.abc import Callable
from pathlib import Path

from scripts.referencing.alerts import alerts_page
from scripts.referencing.asyncapi import asyncapi_page
from scripts.referencing.commands import commands_page
from scripts.referencing.dashboard import dashboard_page
from scripts.referencing.database import database_page
from scripts.referencing.events import events_page
from scripts.referencing.http import http_page
from scripts.referencing.metrics import metrics_page
from scripts.referencing.postman import postman_page
from scripts.referencing.services import services_page
from scripts.referencing.settings import settings_page

ROOT = Path(__file__).resolve().parents[2]

PAGES: dict[str, Callable[[], str]] = {
    "docs/asyncapi.yaml": asyncapi_page,
    "docs/database.md": database_page,
    "docs/reference/commands.md": commands_page,
    "docs/grafana/alerts.yml": alerts_page,
    "docs/grafana/souk.json": dashboard_page,
    "docs/reference/events.md": events_page,
    "docs/reference/http.md": http_page,
    "docs/reference/metrics.md": metrics_page,
    "docs/reference/services.md": services_page,
    "docs/reference/settings.md": settings_page,
    "docs/souk.postman_collection.json": postman_page,
}


def stale(root: Path = ROOT) -> list[str]:
    """The pages that do not say what the code says."""
    return [name for name, make in PAGES.items() if _read(root / name) != make()]


def write(root: Path = ROOT) -> None:
    """Write every page."""
    for name, make in PAGES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(make(), encoding="utf-8")


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None
