"""A strict reading of Prometheus' text format 0.0.4, as a server would do it."""

import re

from prometheus_client.parser import text_string_to_metric_families

_HEAD = re.compile(r"# (HELP|TYPE) ([a-z_]+) (.+)")
_SAMPLE = re.compile(r"([a-z_]+)(?:\{(.*)\})? (\S+)")
_LABEL = re.compile(r'([a-z_]+)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)')

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


def read(text: str) -> Series:
    """All samples; fails on anything that is not as it should be."""
    assert text.endswith("\n")
    kinds: dict[str, str] = {}
    found: Series = {}
    helped: set[str] = set()
    for line in text.splitlines():
        if head := _HEAD.fullmatch(line):
            word, name, said = head.groups()
            if word == "HELP":
                assert name not in helped, f"{name} has two HELP lines"
                helped.add(name)
            else:
                assert name in helped and name not in kinds, line
                assert said in ("counter", "gauge", "histogram"), line
                kinds[name] = said
            continue
        _read_sample(line, kinds, found)
    _check_histograms(kinds, found)
    assert {one.name for one in text_string_to_metric_families(text)} == {
        name.removesuffix("_total") if kind == "counter" else name
        for name, kind in kinds.items()
    }
    return found


def value(series: Series, name: str, **labels: str) -> float:
    """The sum of the samples of this name that have these labels."""
    wanted = set(labels.items())
    return sum(v for (n, pairs), v in series.items() if n == name and wanted <= pairs)


def _read_sample(line: str, kinds: dict[str, str], found: Series) -> None:
    match = _SAMPLE.fullmatch(line)
    assert match, line
    name, inside, number = match.groups()
    labels = _LABEL.findall(inside or "")
    assert "".join(f'{n}="{v}",' for n, v in labels).rstrip(",") == (inside or ""), line
    assert len({n for n, _ in labels}) == len(labels), line
    family = re.sub(r"_(bucket|sum|count)$", "", name)
    assert kinds.get(name) or kinds.get(family) == "histogram", f"untyped: {line}"
    if kinds.get(name) == "counter":
        assert name.endswith("_total") and float(number) >= 0, line
    key = (name, frozenset(labels))
    assert key not in found, f"told twice: {line}"
    found[key] = float(number)


def _check_histograms(kinds: dict[str, str], found: Series) -> None:
    for name in (each for each, kind in kinds.items() if kind == "histogram"):
        series: dict[frozenset[tuple[str, str]], list[tuple[float, float]]] = {}
        for (sample, labels), count in found.items():
            if sample == f"{name}_bucket":
                bound = float(dict(labels)["le"])
                rest = frozenset(pair for pair in labels if pair[0] != "le")
                series.setdefault(rest, []).append((bound, count))
        assert series, name
        for labels, buckets in series.items():
            counts = [count for _, count in sorted(buckets)]
            assert counts == sorted(counts), name
            assert max(buckets)[0] == float("inf"), name
            assert counts[-1] == found[f"{name}_count", labels], name
            assert found[f"{name}_sum", labels] >= 0, name
