"""What a crowd did to a shop, and whether it may."""

import msgspec

from scripts.benching.aims import Aim, Side
from scripts.benching.crowding.crowd import Seen
from scripts.benching.processes import POSTGRES
from scripts.benching.soaking.slopes import MEGABYTE, Held

RATE_AIM, P99_AIM = 0.8, 1.5
BACK_AIM = 1.1
OPEN_SPARE = 10
"""Of a process: a connection to Postgres or NATS more or less is no leak."""


class Loaded(msgspec.Struct, frozen=True):
    """A load of one scene: answers a second, and how long one took."""

    per_second: float
    p50_ms: float
    p99_ms: float
    errors: dict[str, int]


class Connections(msgspec.Struct, frozen=True, kw_only=True):
    """A crowd of `streams` and `idle` connections, which came and went twice.

    `alone` and `beside` are the same loads without the crowd and with it, by scene.
    `held` is what each kind of process held before the crowd, while it was open, after
    it had gone, and after a second one had. Of the streams, `wrong` are those that were
    not told exactly what happened, once and in order. `knocked` came past the
    connections that the shop serves, `streams_knocked` past its streams.
    """

    streams: int
    idle: int
    open_streams: int
    open_idle: int
    opened_seconds: float
    alone: dict[str, Loaded]
    beside: dict[str, Loaded]
    told: int
    wrong: int
    told_seconds: float
    knocked: Seen
    streams_knocked: Seen
    held: dict[str, dict[str, Held]]

    def faults(self) -> list[str]:
        """Why its figures do not count, or what must not be."""
        found = []
        if (self.open_streams, self.open_idle) != (self.streams, self.idle):
            found.append(
                f"of {self.streams} streams {self.open_streams} were open, of "
                f"{self.idle} idle connections {self.open_idle}"
            )
        if self.wrong:
            found.append(f"{self.wrong} streams were not told exactly what happened")
        for name, seen in self._turned().items():
            kinds = set(seen.refused) - {"answered 503", "closed"}
            if kinds or seen.told != seen.refused.get("answered 503", 0):
                found.append(f"past the {name}: {seen.refused}, {seen.told} told when")
        return found

    def aims(self) -> list[Aim]:
        """Who was there already is served as before, and nothing stays behind."""
        return [*self._served(), *self._given_back(), self._memory()]

    def words(self) -> str:
        """The figures, for people."""
        first = (
            f"{self.open_streams} streams and {self.open_idle} idle connections, open "
            f"after {self.opened_seconds:.1f} s; {self.told} events told to streams, "
            f"{self.wrong} streams wrong, all there {self.told_seconds:.2f} s after "
            f"the last change was answered"
        )
        lines = [first]
        for scene, one in sorted(self.alone.items()):
            with_crowd = self.beside[scene]
            lines.append(
                f"{scene}: alone {one.per_second:.0f}/s, p99 {one.p99_ms:.1f} ms; "
                f"beside the crowd {with_crowd.per_second:.0f}/s, "
                f"p99 {with_crowd.p99_ms:.1f} ms; errors {with_crowd.errors or 'none'}"
            )
        for name, seen in self._turned().items():
            lines.append(
                f"past the {name}: {seen.let_in} let in, then {seen.refused}, "
                f"p99 {seen.answered_p99_ms:.1f} ms"
            )
        names = self.held["before"].keys() & self.held["open"].keys()
        lines += [self._line(name) for name in sorted(names)]
        return "\n".join(lines)

    def _turned(self) -> dict[str, Seen]:
        return {"connections": self.knocked, "streams": self.streams_knocked}

    def _served(self) -> list[Aim]:
        """The worst of all scenes."""
        rates, p99s = {}, {}
        for scene, alone in self.alone.items():
            beside = self.beside[scene]
            rates[scene] = beside.per_second / max(alone.per_second, 1e-9)
            p99s[scene] = beside.p99_ms / max(alone.p99_ms, 1e-9)
        slow, late = min(rates, key=rates.__getitem__), max(p99s, key=p99s.__getitem__)
        return [
            Aim(
                key="connections-rate",
                what=f"{slow} a second beside the crowd by those alone",
                figure=rates[slow],
                aim=RATE_AIM,
            ),
            Aim(
                key="connections-p99",
                what=f"p99 of {late} beside the crowd by that alone",
                figure=p99s[late],
                aim=P99_AIM,
                side=Side.AT_MOST,
            ),
        ]

    def _given_back(self) -> list[Aim]:
        """Postgres' sessions keep open what tables they have read, whoever asked."""
        before, after = self.held["before"], self.held["after"]
        names = before.keys() & after.keys() - {POSTGRES}
        return [
            Aim(
                key="connections-files",
                what="most open files of any process after the crowd, by before it",
                figure=max(
                    _ratio(after[one].files, before[one].files) for one in names
                ),
                aim=BACK_AIM,
                side=Side.AT_MOST,
            ),
            Aim(
                key="connections-open",
                what="most connections of any process after the crowd, by before it",
                figure=max(
                    _ratio(after[one].connections, before[one].connections)
                    for one in names
                ),
                aim=BACK_AIM,
                side=Side.AT_MOST,
            ),
        ]

    def _memory(self) -> Aim:
        """What a crowd takes is taken again by the next, and not anew."""
        first, again = self.held["after"], self.held["again"]
        names = [name for name in first if name in again]
        ratios = {
            name: again[name].unique / max(first[name].unique, 1) for name in names
        }
        worst = max(ratios, key=lambda name: ratios[name])
        return Aim(
            key="connections-memory",
            what=f"memory of {worst} after a second crowd, by after the first",
            figure=ratios[worst],
            aim=BACK_AIM,
            side=Side.AT_MOST,
        )

    def _line(self, name: str) -> str:
        parts = []
        for when in ("before", "open", "after", "again"):
            one = self.held[when].get(name)
            if one is not None:
                parts.append(
                    f"{when} {one.unique / MEGABYTE:.0f} MB, {one.files} files, "
                    f"{one.connections} connections"
                )
        return f"{name}: {'; '.join(parts)}"


def _ratio(after: int, before: int) -> float:
    return after / (before + OPEN_SPARE)
