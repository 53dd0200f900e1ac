"""Where the parts of a running shop are: from its settings, secrets and `run.json`."""

import json
from pathlib import Path

import msgspec

from actors import DOMAINS
from bus.kit.settings import Settings
from scripts.launcher.environment import BANK, completed, has_bank
from scripts.launcher.failures import Failure
from scripts.launcher.keys import SECRETS
from scripts.launcher.record import Run


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """The addresses that an audit opens; `settings` are complete.

    `consumers` are the kinds of events that each domain handles.
    """

    settings: Settings
    urls: dict[str, str]
    nats_url: str
    run: Run
    consumers: dict[str, frozenset[str]]


def running_place(settings: Settings) -> Place:
    """The shop in the data folder; raises `Failure` when it does not run."""
    run = Run.read(settings.data_dir)
    if run is None or not run.keeper.alive():
        raise Failure(f"the shop in {settings.data_dir} is not running")
    secrets = json.loads((settings.data_dir / SECRETS).read_text())
    # The pools are as large as they were made, whatever this process was told.
    shards = {**settings.shard_counts, **run.shards}
    whole = completed(settings, secrets, run.ports).changed(shard_counts=shards)
    names = [*DOMAINS, *([BANK] if has_bank(settings) else [])]
    return Place(
        settings=whole,
        urls={name: whole.database_url(name) for name in names},
        nats_url=whole.nats_url,
        run=run,
        consumers=consumed_kinds(),
    )


def consumed_kinds() -> dict[str, frozenset[str]]:
    """The kinds of events that each domain handles."""
    from actors.kit import declarations  # noqa: PLC0415 - it brings Ray

    return declarations.consumed_kinds()


def read_answered(path: Path | None) -> dict[str, str]:
    """Orders that a client was told of, from lines `<order id> [status]`."""
    if path is None:
        return {}
    lines = (line.split() for line in path.read_text().splitlines())
    return {words[0]: words[1] if len(words) > 1 else "" for words in lines if words}
