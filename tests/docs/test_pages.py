"""The pages of docs/: the made ones are current, the links lead somewhere."""

import ast
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import yaml

from actors import DOMAINS
from bus.kit.settings import Settings
from scripts.referencing import catalogue
from scripts.referencing.asyncapi import document
from scripts.referencing.pages import PAGES, stale, write
from scripts.referencing.settings import settings_page

ROOT = Path(__file__).resolve().parents[2]
WRITTEN = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")], key=str)


def test_no_made_page_is_stale() -> None:
    assert stale(ROOT) == [], "run ./scripts/reference"


@pytest.mark.full
def test_a_changed_page_is_said_to_be_stale_and_is_written_again(
    tmp_path: Path,
) -> None:
    write(tmp_path)
    assert stale(tmp_path) == []
    page = tmp_path / "docs/reference/events.md"
    page.write_text(page.read_text().replace("order_placed", "order_begun"))
    (tmp_path / "docs/database.md").unlink()
    assert stale(tmp_path) == ["docs/database.md", "docs/reference/events.md"]
    write(tmp_path)
    assert stale(tmp_path) == []


def test_the_command_refuses_what_it_does_not_know() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scripts.referencing", "--chek"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "usage: scripts/reference [--check]" in done.stderr


def test_every_event_type_has_a_channel_and_a_schema() -> None:
    made = yaml.safe_load((ROOT / "docs/asyncapi.yaml").read_text())
    assert made == document()
    addresses = {channel["address"] for channel in made["channels"].values()}
    kinds = [kind for domain in DOMAINS for kind in catalogue.events(domain)]
    assert addresses == {kind.nats_subject() for kind in kinds}
    for message in made["components"]["messages"].values():
        assert message["payload"]["properties"]["data"], message["name"]


def test_every_reference_inside_the_event_schemas_leads_somewhere() -> None:
    made = document()
    text = yaml.safe_dump(made)
    for path in set(re.findall(r"'?#/([\w/]+)'?", text)):
        found = made
        for part in path.split("/"):
            assert part in found, path
            found = found[part]


def test_every_setting_is_on_its_page_once() -> None:
    page = settings_page()
    for name, field in Settings.model_fields.items():
        if name not in ("database_urls", "shard_counts"):
            assert page.count(f"| `SOUK_{(field.alias or name).upper()}` |") == 1
    assert "`SOUK_<DOMAIN>_DATABASE_URL`" in page
    assert "`SOUK_<DOMAIN>_SHARDS`" in page


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        name, _, heading = link.partition("#")
        if name.startswith("http"):
            continue
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        if heading:
            assert heading in _anchors(target.read_text()), link


def test_every_page_is_linked_from_another() -> None:
    linked = {
        (page.parent / link.partition("#")[0]).resolve()
        for page in WRITTEN
        for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text())
        if not link.startswith(("http", "#"))
    }
    folders = {target / "README.md" for target in linked if target.is_dir()}
    pages = {page for page in WRITTEN if ROOT / "docs" in page.parents}
    lonely = pages - linked - folders - {ROOT / "docs/proof.md"}
    assert sorted(str(page.relative_to(ROOT)) for page in lonely) == []


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_that_a_page_names_exist(page: Path) -> None:
    folders = "actors|bus|persistence|serve_app|scripts|tests|docs|notebooks"
    names = set(re.findall(rf"`((?:{folders})/[\w/.]+)`", page.read_text()))
    invented = {name for name in names if "wishlists" in name}
    later = {"docs/proof.md"}  # `./scripts/test --full` writes it
    for name in names - invented - later:
        path = ROOT / name
        assert path.exists() or path.with_suffix(".py").exists(), name


def test_only_pages_that_are_made_say_so() -> None:
    note = "Made from the code by `scripts/reference`"
    saying = {str(p.relative_to(ROOT)) for p in WRITTEN if note in p.read_text()}
    assert saying == {name for name in PAGES if name.endswith(".md")}


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: str(page.relative_to(ROOT)))
def test_code_of_a_page_is_python_and_its_commands_exist(page: Path) -> None:
    text = page.read_text()
    for block in re.findall(
        r"^ *```python\n(.*?)^ *```$", text, re.DOTALL | re.MULTILINE
    ):
        ast.parse(textwrap.dedent(block))
    for name in set(re.findall(r"\./scripts/([a-z]+)\b", text)):
        command = ROOT / "scripts" / name
        assert command.is_file(), name
        assert command.stat().st_mode & 0o111, f"{name} cannot be run"


def _anchors(text: str) -> set[str]:
    """The names that a page's headings have."""
    heads = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}
