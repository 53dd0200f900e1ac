"""`docs/performance.md`: what stands between its markers is made of kept figures."""

from collections.abc import Iterator, Sequence

from scripts.benching.costs import DURABLE
from scripts.benching.figures import Figures, KeptAim, KeptScene
from scripts.benching.keeping import Origin
from scripts.benching.profiling import Profile
from scripts.launcher.failures import Failure

BEGIN = "<!-- {}: written by `./scripts/bench aims`, never by hand -->"
END = "<!-- end of {} -->"
COMMIT_CHARACTERS = 10


def page(text: str, figures: Figures, keys: Sequence[str]) -> str:
    """The page with every block made anew; raises `Failure` where a marker is missing.

    What is outside of the markers is a person's, and stays as it is.
    """
    for name, lines in blocks(figures, keys).items():
        begin, end = BEGIN.format(name), END.format(name)
        if text.count(begin) != 1 or text.count(end) != 1:
            raise Failure(f"the page does not have these lines once: {begin} and {end}")
        before, _, rest = text.partition(begin)
        after = rest.partition(end)[2]
        text = before + "\n".join([begin, "", *lines, "", end]) + after
    return text


def blocks(figures: Figures, keys: Sequence[str]) -> dict[str, list[str]]:
    """The lines between each pair of markers."""
    return {
        "aims": list(_aims(figures, keys)),
        "scenes": list(_scenes(figures)),
        "profiles": list(_profiles(figures)),
        "limits": list(_limits(figures)),
        "durability": list(_durability(figures)),
    }


def _aims(figures: Figures, keys: Sequence[str]) -> Iterator[str]:
    yield _row("aim", "figure", "should be", "verdict", "why", "measured")
    yield "|---" * 6 + "|"
    for key in keys:
        kept = figures.aims.get(key)
        if kept is None:
            yield _row(f"`{key}`", "", "", "not measured", "", "")
        else:
            yield _aim(kept)


def _aim(kept: KeptAim) -> str:
    aim = kept.aim
    verdict, why = ("met", "") if aim.met else ("**missed**", aim.reason)
    if kept.faults:
        verdict, why = "**does not count**", kept.faults[0]
    return _row(
        f"{aim.what} (`{aim.key}`)",
        f"{_number(aim.figure)} {aim.unit}",
        f"{aim.side} {aim.aim:g}",
        verdict,
        why,
        _origin(kept.origin),
    )


def _scenes(figures: Figures) -> Iterator[str]:
    yield _row(
        *("scene", "done/s", "by noop", "p50 ms", "p99 ms", "CPU-ms", "WAL KB"),
        *("fsyncs", "event lag p99 ms", "measured"),
    )
    yield "|---" * 10 + "|"
    ordered = sorted(figures.scenes.values(), key=lambda one: (one.scene, one.clients))
    yield from (_scene(one) for one in ordered)


def _scene(one: KeptScene) -> str:
    return _row(
        one.name + ("; **does not count**" if one.faults else ""),
        _number(one.per_second),
        f"{one.ratio:.3f}",
        _number(one.p50_ms),
        _number(one.p99_ms),
        _number(sum(one.cpu_ms_each.values())),
        _number(one.wal_bytes_each / 1000),
        _number(one.fsyncs_each),
        _number(one.event_lag_p99_ms),
        _origin(one.origin),
    )


def _profiles(figures: Figures) -> Iterator[str]:
    kept = figures.profiles
    if kept is None:
        yield "Not measured."
        return
    yield (
        f"Under `{kept.scene}` from {kept.clients} clients, "
        f"{_number(kept.per_second)} a second: {_origin(kept.origin)}."
    )
    for fault in kept.faults:
        yield f"**Does not count**: {_cell(fault)}."
    for one in kept.profiles:
        yield from ("", *_profile(one))


def _profile(one: Profile) -> Iterator[str]:
    yield f"### {one.name}"
    yield ""
    yield f"![flame graph of {one.name}](performance/{one.name}.svg)"
    yield ""
    yield f"It ran Python in {one.busy:.0%} of all moments ({one.samples} samples)."
    yield ""
    yield _row("package", "share", "function, itself", "share")
    yield "|---" * 4 + "|"
    most = (_most(one.packages), _most(one.functions))
    for number in range(max(map(len, most))):
        cells = [_share(column, number) for column in most]
        yield _row(*cells[0], *cells[1])


def _most(shares: dict[str, float]) -> list[tuple[str, float]]:
    """By share, for what is kept is sorted by name."""
    return sorted(shares.items(), key=lambda each: (-each[1], each[0]))


def _share(column: list[tuple[str, float]], number: int) -> tuple[str, str]:
    if number >= len(column):
        return "", ""
    name, share = column[number]
    # Nothing is escaped between backticks, and a cell may not look like a tag.
    return f"`{name.replace('<', '').replace('>', '')}`", f"{share:.1%}"


def _limits(figures: Figures) -> Iterator[str]:
    kept = figures.limits
    if kept is None:
        yield "Not measured."
        return
    yield f"{kept.cpus} CPUs: {_origin(kept.origin)}."
    yield ""
    yield _row("limit", "figure", "taken how")
    yield "|---" * 3 + "|"
    for one in kept.limits:
        yield _row(one.what, f"{_number(one.figure)} {one.unit}", one.how)


def _durability(figures: Figures) -> Iterator[str]:
    kept = figures.durability
    if kept is None:
        yield "Not measured."
        return
    yield f"As every database answered when measured: {_origin(kept.origin)}."
    yield ""
    yield _row("database", *(f"`{name}`" for name in DURABLE))
    yield "|---" * (1 + len(DURABLE)) + "|"
    for database, said in sorted(kept.durability.items()):
        yield _row(database, *(said.get(name, "not known") for name in DURABLE))


def _origin(origin: Origin) -> str:
    head, _, changed = origin.commit.partition("-")
    commit = head[:COMMIT_CHARACTERS] + (f"-{changed}" if changed else "")
    return f"`{commit}`, {origin.at[:10]}, `{origin.command}`"


def _number(figure: float) -> str:
    """Three digits are as many as a figure of one run is worth."""
    return f"{figure:.3g}" if abs(figure) < 1000 else f"{figure:.0f}"


def _row(*cells: str) -> str:
    return f"| {' | '.join(_cell(each) for each in cells)} |"


def _cell(text: str) -> str:
    """On one line, and no cell of its own."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
