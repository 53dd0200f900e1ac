"""Two small domains on the real kit: `tally` counts and tells of it, `echo` listens.

Nothing in their tables is unique by a command, so what acts twice is seen twice; what
`tally` knows of a key it has from memory wherever the kit says that it may.
"""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID

import msgspec
import sqlalchemy as sa

from actors.kit.domain import Domain, handles, handles_many
from actors.kit.process import Run
from bus.kit.addressing import derived_id
from bus.kit.messages import MESSAGE_TYPES, Command, Event, Message, by
from bus.kit.refusals import conflict
from bus.kit.values import Done
from persistence.kit.claims import Claim
from persistence.kit.tables import domain_metadata
from persistence.kit.transaction import Tx

HARD_TO_BEAR = 3

Kind = TypeVar("Kind", bound=type[Message])


def tables(domain: str) -> sa.MetaData:
    """The kit's tables and the few of these domains."""
    metadata = domain_metadata(domain)
    sa.Table(
        "totals",
        metadata,
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("total", sa.BigInteger, nullable=False),
    )
    sa.Table(
        "effects",
        metadata,
        sa.Column("command_id", sa.Uuid, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("what", sa.Text, nullable=False),
        sa.Column("total", sa.BigInteger, nullable=False),
    )
    sa.Table(
        "errands",
        metadata,
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("stage", sa.Integer, nullable=False),
    )
    return metadata


def said(kind: Kind) -> Kind:
    """Makes a message of this module one of the domain `tally`."""
    kind.domain = "tally"
    kind.message_name = re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower()
    MESSAGE_TYPES[kind.kind()] = kind
    return kind


class Counted(msgspec.Struct, frozen=True):
    """What the key's total was after it."""

    total: int


@said
class Add(Command[Counted], frozen=True, kw_only=True):
    """Add one to a key."""

    key = by("name")
    name: str
    what: str = "add"


@said
class AddBare(Command[Counted], frozen=True, kw_only=True):
    """The same, for whoever names no id that must act once."""

    key = by("name")
    remembered = False
    name: str
    errand: UUID


@said
class Balk(Command[Done], frozen=True, kw_only=True):
    """Refuse, after it has written."""

    key = by("name")
    name: str


@said
class Spoil(Command[Done], frozen=True, kw_only=True):
    """Write, and then break: a bug."""

    key = by("name")
    name: str


@said
class Grab(Command[Counted], frozen=True, kw_only=True):
    """Claim a value; 1 if it is ours."""

    key = by("owner")
    owner: UUID
    value: str


@said
class Carry(Command[Counted], frozen=True, kw_only=True):
    """A process: write that it began, add one to another key, write that it ended."""

    key = by("name")
    name: str
    other: str


@said
class Resume(Command[Counted], frozen=True, kw_only=True):
    """Takes a Carry up again."""

    key = by("name")
    name: str
    other: str
    id: UUID


@said
class Advance(Command[Counted], frozen=True, kw_only=True):
    """A step of a Carry: to `stage` from the one before, once."""

    key = by("name")
    remembered = False
    name: str
    id: UUID
    stage: int


@said
class Remind(Command[Done], frozen=True, kw_only=True):
    """Have a Ring come after some seconds, under the command's own name."""

    key = by("name")
    name: str
    seconds: float


@said
class Ring(Command[Done], frozen=True, kw_only=True):
    """What falls due."""

    key = by("name")
    remembered = False
    name: str
    id: UUID


@said
class Added(Event, frozen=True, kw_only=True):
    """A key's total grew."""

    key = by("name")
    subject = by("name")
    name: str
    total: int
    command_id: UUID


class Tally(Domain):
    """Counts."""

    name = "tally"

    @handles_many(Add)
    async def add(self, tx: Tx, messages: list[Add]) -> list[Counted]:
        """Each command one more; the totals come from memory where they are known."""
        named = [(m.name, tx.meta(m).id, m.what) for m in messages]
        return [Counted(total) for total in await _count(tx, named, messages)]

    @handles(AddBare)
    async def add_bare(self, tx: Tx, m: AddBare) -> Counted:
        """Once by the errand's own row, as a domain does without a handled row."""
        tag = await tx.execute(
            "INSERT INTO errands (id, stage) VALUES ($1, 0) ON CONFLICT DO NOTHING",
            m.errand,
        )
        if not tag.endswith(" 1"):
            return Counted(0)
        return Counted((await _count(tx, [(m.name, m.errand, "carried")], [m]))[0])

    @handles(Balk)
    async def balk(self, tx: Tx, m: Balk) -> Done:
        """Write and refuse."""
        await _note(tx, [(tx.meta(m).id, m.name, "balked", 0)])
        raise conflict("balked")

    @handles(Spoil)
    async def spoil(self, tx: Tx, m: Spoil) -> Done:
        """Write and break."""
        await _note(tx, [(tx.meta(m).id, m.name, "spoilt", 0)])
        raise ZeroDivisionError(m.name)

    @handles(Grab, claims=lambda m: (Claim("value", m.value, m.owner),))
    async def grab(self, tx: Tx, m: Grab) -> Counted:
        """Whether the value is the owner's."""
        mine = tx.claimed("value", m.value, m.owner)
        if mine:
            await _note(tx, [(tx.meta(m).id, str(m.owner), "grabbed", 0)])
        return Counted(int(mine))

    @handles(Carry)
    async def carry(self, run: Run, m: Carry) -> Counted:
        """Begin, and go on."""
        begun = Resume(name=m.name, other=m.other, id=run.id)
        await run.step(Advance(name=m.name, id=run.id, stage=1), opens=begun)
        return await self._carry_on(run, begun)

    @handles(Resume)
    async def resume(self, run: Run, m: Resume) -> Counted:
        """Go on from wherever it stands."""
        return await self._carry_on(run, m)

    async def _carry_on(self, run: Run, m: Resume) -> Counted:
        await run.ask(AddBare(name=m.other, errand=derived_id(m.id, "there")))
        done = Advance(name=m.name, id=m.id, stage=2)
        return await run.settle(done, last=True)

    @handles(Advance)
    async def advance(self, tx: Tx, m: Advance) -> Counted:
        """Compare and set; what it found done is done."""
        if m.stage == 1:
            tag = await tx.execute(
                "INSERT INTO errands (id, stage) VALUES ($1, 1) ON CONFLICT DO NOTHING",
                m.id,
            )
        else:
            tag = await tx.execute(
                "UPDATE errands SET stage = $2 WHERE id = $1 AND stage = $2 - 1",
                m.id,
                m.stage,
            )
        if tag.endswith(" 1"):
            await _note(tx, [(m.id, m.name, f"stage {m.stage}", 0)])
        return Counted(m.stage)

    @handles(Remind)
    async def remind(self, tx: Tx, m: Remind) -> Done:
        """Set a timer."""
        id_ = tx.meta(m).id
        at = tx.now + timedelta(seconds=m.seconds)
        tx.due(f"ring:{id_}", at, Ring(name=m.name, id=id_))
        return Done()

    @handles(Ring)
    async def ring(self, tx: Tx, m: Ring) -> Done:
        """Its row goes with this effect, which has nothing else to make it act once."""
        await _note(tx, [(m.id, m.name, "rung", 0)])
        return Done()


class Echo(Domain):
    """Writes down what was told, each time anew: the kit has it heard once.

    Every third event of a key it cannot bear until it has seen it twice.
    """

    name = "echo"

    def __init__(self) -> None:
        self._borne: set[UUID] = set()

    @handles(Added)
    async def added(self, tx: Tx, m: Added) -> None:
        """One effect an event, in the order of its key."""
        number = tx.meta(m).sequence
        if m.total % HARD_TO_BEAR == 0 and m.command_id not in self._borne:
            self._borne.add(m.command_id)
            raise ZeroDivisionError(m.name)
        await _note(tx, [(m.command_id, m.name, f"heard {number}", m.total)])


async def _count(
    tx: Tx, named: list[tuple[str, UUID, str]], messages: list[Any]
) -> list[int]:
    names = sorted({name for name, _, _ in named})
    totals = {n: t or 0 for n, t in (await tx.load("total", names, _load)).items()}
    effects, counted = [], []
    for (name, id_, what), m in zip(named, messages, strict=True):
        totals[name] += 1
        counted.append(totals[name])
        effects.append((id_, name, what, totals[name]))
        tx.tell(Added(name=name, total=totals[name], command_id=id_), about=m)
    await _note(tx, effects)
    await tx.execute(
        """INSERT INTO totals (key, total) SELECT * FROM
             unnest($1::text[], $2::bigint[])
           ON CONFLICT (key) DO UPDATE SET total = excluded.total""",
        names,
        [totals[name] for name in names],
    )
    for name in names:
        tx.keep("total", name, totals[name])
    return counted


async def _load(tx: Tx, names: list[str]) -> dict[str, int]:
    rows = await tx.fetch("SELECT key, total FROM totals WHERE key = ANY($1)", names)
    return {row["key"]: row["total"] for row in rows}


async def _note(tx: Tx, effects: list[tuple[UUID, str, str, int]]) -> None:
    await tx.execute(
        """INSERT INTO effects (command_id, key, what, total) SELECT * FROM
             unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[])""",
        *(list(column) for column in zip(*effects, strict=True)),
    )


KINDS: dict[str, tuple[Callable[[], Domain], sa.MetaData]] = {
    "tally": (Tally, tables("tally")),
    "echo": (Echo, tables("echo")),
}
