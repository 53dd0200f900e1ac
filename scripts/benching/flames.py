"""Flame graphs: stacks that a sampler has counted, drawn as one SVG without a script.

A stack is a line `outer;inner;innermost count`, as Brendan Gregg's tools have it.
"""

import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from html import escape

import msgspec

WIDTH, ROW, MARGIN = 1200.0, 17.0, 10.0
HEADING = 40.0
DEPTH_MAX = 80
PIXELS_MIN = 1.0
"""What is narrower is not drawn, nor what it calls: it could not be seen."""

CHARACTER = 6.4
OURS = ("actors/", "bus/", "persistence/", "serve_app/", "scripts/")
"""Drawn warm; what others wrote is drawn cold."""

_STYLE = "text{font:11px monospace;fill:#1b1b1b}.h{font:bold 15px sans-serif}"


class Node(msgspec.Struct):
    """A function below those that have called it, with all samples in or below it."""

    samples: int = 0
    calls: dict[str, "Node"] = {}


def read_stacks(text: str) -> dict[tuple[str, ...], int]:
    """Samples by stack, outermost first; lines that are none are left out."""
    found: Counter[tuple[str, ...]] = Counter()
    for line in text.splitlines():
        stack, _, count = line.rpartition(" ")
        if stack.strip() and count.isdigit():
            found[tuple(stack.split(";"))] += int(count)
    return dict(found)


def innermost(stacks: Mapping[tuple[str, ...], int]) -> dict[str, int]:
    """Samples by the function that was running itself, the most first."""
    found: Counter[str] = Counter()
    for stack, count in stacks.items():
        found[stack[-1]] += count
    return dict(found.most_common())


def packages(stacks: Mapping[tuple[str, ...], int]) -> dict[str, int]:
    """Samples by the package whose function was running itself, the most first."""
    found: Counter[str] = Counter()
    for stack, count in stacks.items():
        found[package_of(stack[-1])] += count
    return dict(found.most_common())


def package_of(frame: str) -> str:
    """`actors` of `Lane.send (actors/kit/lane.py)`; a lone file is Python's own."""
    path = frame.rpartition("(")[2].rstrip(")")
    first, slash, _ = path.partition("/")
    return first if slash and first not in ("", "asyncio", "concurrent") else "python"


def draw(title: str, stacks: Mapping[tuple[str, ...], int]) -> str:
    """The graph as an SVG: the widest is what ran most, a callee lies on its caller."""
    root = Node()
    for stack, count in stacks.items():
        _add(root, stack[:DEPTH_MAX], count)
    unit = (WIDTH - 2 * MARGIN) / max(root.samples, 1)
    boxes = list(_boxes(root, MARGIN, 0, unit))
    levels = max((level for _, _, level, _, _ in boxes), default=0) + 1
    height = HEADING + levels * ROW + MARGIN
    drawn = [_box(each, height, root.samples) for each in boxes]
    size = f'width="{WIDTH:g}" height="{height:g}"'
    box = f'viewBox="0 0 {WIDTH:g} {height:g}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} {box}>',
            f"<style>{_STYLE}</style>",
            '<rect width="100%" height="100%" fill="#fffdf8"/>',
            f'<text class="h" x="{MARGIN:g}" y="24">{escape(title)}</text>',
            *drawn,
            "</svg>\n",
        ]
    )


Box = tuple[str, float, int, float, int]
"""A function, where its box begins, on which level, how wide, and its samples."""


def _add(node: Node, stack: tuple[str, ...], count: int) -> None:
    node.samples += count
    for frame in stack:
        node = node.calls.setdefault(frame, Node())
        node.samples += count


def _boxes(node: Node, x: float, level: int, unit: float) -> Iterator[Box]:
    for frame, each in sorted(node.calls.items()):
        width = each.samples * unit
        if width >= PIXELS_MIN:
            yield frame, x, level, width, each.samples
            yield from _boxes(each, x, level + 1, unit)
        x += width


def _box(box: Box, height: float, samples: int) -> str:
    frame, x, level, width, count = box
    y = height - MARGIN - (level + 1) * ROW
    name = frame.partition(" (")[0]
    room = int((width - 4) / CHARACTER)
    label = name if len(name) <= room else f"{name[: room - 2]}.." if room > 4 else ""
    text = f'<text x="{x + 2:.1f}" y="{y + 12:.1f}">{escape(label)}</text>'
    return (
        f"<g><title>{escape(frame)}: {count / samples:.1%}</title>"
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{ROW - 1:g}" '
        f'rx="1" fill="{_colour(frame)}"/>{text if label else ""}</g>'
    )


def _colour(frame: str) -> str:
    """The same for the same function, in every graph."""
    shade = zlib.crc32(frame.encode()) % 28
    ours = f"({frame.rpartition('(')[2]}".startswith(tuple(f"({o}" for o in OURS))
    return f"hsl({18 + shade},88%,66%)" if ours else f"hsl({196 + shade},38%,78%)"
