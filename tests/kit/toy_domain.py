"""What the toy does with its messages, and `echo`, which consumes its events."""

from datetime import timedelta
from typing import Any, ClassVar
from uuid import UUID

from actors.kit.domain import Domain, handles, handles_many
from actors.kit.process import Run
from bus.kit.refusals import Unavailable, conflict
from bus.kit.values import Done
from persistence.kit.claims import Claim
from persistence.kit.database import Db
from persistence.kit.transaction import Tx
from tests.kit.toy import (
    BEGUN,
    Advance,
    Balk,
    Depart,
    Embark,
    Forget,
    Grab,
    Grabbed,
    Jot,
    LetGo,
    Look,
    Nap,
    Note,
    Noted,
    Page,
    Peek,
    Remind,
    Ring,
    RingInstead,
    RunErrand,
    Spoil,
    Stall,
    Stroll,
    Survey,
    Tell,
    Told,
    pass_gate,
)


async def write(tx: Tx, rows: list[tuple[str, str]]) -> None:
    """Add to the journal."""
    await tx.execute(
        "INSERT INTO journal (name, what) SELECT * FROM unnest($1::text[], $2::text[])",
        [name for name, _ in rows],
        [what for _, what in rows],
    )


def claims_of(m: Grab | LetGo) -> tuple[Claim, ...]:
    """The claims of a message."""
    return tuple(Claim("value", value, m.owner) for value in m.values)


class Toy(Domain):
    """Every kind of handler."""

    name = "toy"

    @handles_many(Note)
    async def note(self, tx: Tx, messages: list[Note]) -> list[Noted]:
        names = sorted({m.name for m in messages})
        pages = await tx.load("page", names, load_pages)
        totals = {name: page.total if page else 0 for name, page in pages.items()}
        answers = []
        for m in messages:
            totals[m.name] += 1
            answers.append(Noted(totals[m.name]))
        await write(tx, [(m.name, m.what) for m in messages])
        await tx.execute(
            """INSERT INTO pages SELECT * FROM unnest($1::text[], $2::bigint[])
               ON CONFLICT (name) DO UPDATE SET total = excluded.total""",
            names,
            [totals[name] for name in names],
        )
        for name in names:
            tx.keep("page", name, Page(totals[name]))
        return answers

    @handles(Jot)
    async def jot(self, tx: Tx, m: Jot) -> Done:
        await write(tx, [(m.name, m.what)])
        return Done()

    @handles(Spoil)
    async def spoil(self, tx: Tx, m: Spoil) -> Done:
        await write(tx, [(m.name, "spoilt")])
        raise ZeroDivisionError(m.name)

    @handles(Balk)
    async def balk(self, tx: Tx, m: Balk) -> Done:
        if m.late:
            await write(tx, [(m.name, "balked")])
        raise conflict("balked")

    @handles(Stall)
    async def stall(self, tx: Tx, m: Stall) -> Done:
        await write(tx, [(m.name, "stalled")])
        await pass_gate(f"stall:{m.name}")
        return Done()

    @handles(Tell)
    async def tell(self, tx: Tx, m: Tell) -> Done:
        for entity in m.subjects:
            tx.tell(Told(name=m.name, entity=entity, what=m.what))
        return Done()

    @handles(Grab, claims=claims_of)
    async def grab(self, tx: Tx, m: Grab) -> Grabbed:
        if m.spoil:
            raise ZeroDivisionError
        if m.refuse:
            raise conflict("refused")
        return Grabbed(tuple(v for v in m.values if tx.claimed("value", v, m.owner)))

    @handles(LetGo)
    async def let_go(self, tx: Tx, m: LetGo) -> Done:
        await tx.release_claims(claims_of(m))
        return Done()

    @handles(Remind)
    async def remind(self, tx: Tx, m: Remind) -> Done:
        ring: Any = Ring(name=m.name, what=m.what)
        if m.errand:
            ring = RunErrand(name=m.name, id=m.errand)
        if m.instead:
            ring = RingInstead(name=m.name, what=m.what)
        tx.due(f"ring:{m.name}", tx.now + timedelta(seconds=m.seconds), ring)
        return Done()

    @handles(Forget)
    async def forget(self, tx: Tx, m: Forget) -> Done:
        tx.cancel_due(f"ring:{m.name}")
        return Done()

    @handles(Ring)
    @handles(RingInstead)
    async def ring(self, tx: Tx, m: Ring | RingInstead) -> Done:
        await write(tx, [(m.name, m.what)])
        return Done()

    @handles(Nap)
    async def nap(self, run: Run, m: Nap) -> Done:
        await pass_gate(f"nap:{m.name}")
        return Done()

    @handles(Stroll)
    async def stroll(self, run: Run, m: Stroll) -> Done:
        await pass_gate(f"stroll:{m.name}")
        await run.step(Jot(name=m.name, what=m.what))
        return Done()

    broken: ClassVar[dict[UUID, int]] = {}

    @handles(RunErrand)
    async def run_errand(self, run: Run, m: RunErrand) -> Noted:
        BEGUN.append(f"errand {m.id} as {run.id}")
        await run.step(Advance(name=m.name, id=m.id, stage=1), opens=m)
        await pass_gate("errand:1")
        if self.broken.setdefault(m.id, m.broken) > 0:
            self.broken[m.id] -= 1
            raise Unavailable("broken for a while")
        await run.step(Advance(name=m.name, id=m.id, stage=2))
        await pass_gate("errand:2")
        answer = await run.settle(Advance(name=m.name, id=m.id, stage=3))
        await pass_gate("errand:3")
        await run.settle(Advance(name=m.name, id=m.id, stage=4), last=True)
        return answer

    @handles(Embark)
    async def embark(self, run: Run, m: Embark) -> Noted:
        errand = RunErrand(name=m.name, id=m.id)
        await run.step(Depart(name=m.name, id=m.id), opens=errand)
        return await self.run_errand(run, errand)

    @handles(Depart)
    async def depart(self, tx: Tx, m: Depart) -> Noted:
        if await tx.fetch("SELECT FROM errands WHERE id = $1", m.id):
            raise conflict("departed")
        return await self.advance(tx, Advance(name=m.name, id=m.id, stage=1))

    @handles(Survey)
    async def survey(self, run: Run, m: Survey) -> Noted:
        async with self.read() as db:
            await pass_gate("survey")
            sql = "SELECT count(*) FROM journal WHERE name = $1"
            return Noted(await db.fetchval(sql, m.name))

    @handles(Advance)
    async def advance(self, tx: Tx, m: Advance) -> Noted:
        moved = await tx.execute(
            "INSERT INTO errands VALUES ($1, 1) ON CONFLICT DO NOTHING"
            if m.stage == 1
            else "UPDATE errands SET stage = $2 WHERE id = $1 AND stage = $2 - 1",
            *((m.id,) if m.stage == 1 else (m.id, m.stage)),
        )
        if moved.endswith("1"):
            await write(tx, [(m.name, f"stage {m.stage}")])
        return Noted(m.stage)

    @handles(Look)
    async def look(self, db: Db, q: Look) -> Noted:
        sql = "SELECT count(*) FROM journal WHERE name = $1"
        return Noted(await db.fetchval(sql, q.name))

    @handles_many(Peek)
    async def peek(self, db: Db, queries: list[Peek]) -> list[Noted]:
        names = [q.name for q in queries]
        await pass_gate(f"peek {len(names)}")
        if "bad" in names:
            raise ZeroDivisionError
        rows = await db.fetch(
            "SELECT name, count(*) AS n FROM journal WHERE name = ANY($1) GROUP BY 1",
            names,
        )
        totals = {row["name"]: row["n"] for row in rows}
        return [Noted(totals.get(name, 0)) for name in names if name != "short"]


async def load_pages(tx: Tx, names: list[str]) -> dict[str, Page]:
    """The pages of these names, from the database."""
    rows = await tx.fetch("SELECT name, total FROM pages WHERE name = ANY($1)", names)
    return {row["name"]: Page(row["total"]) for row in rows}


class Echo(Domain):
    """Notes down what was told; `failing` are words that it cannot bear."""

    name = "echo"
    failing: ClassVar[set[str]] = set()

    @handles(Told)
    async def told(self, tx: Tx, m: Told) -> None:
        await pass_gate(f"echo:{m.what}")
        if m.what in self.failing:
            raise ZeroDivisionError(m.what)
        number = tx.meta(m).sequence
        await write(tx, [(m.entity, f"{m.what} {number}")])
