"""An order's four steps as a durable workflow: what the order process is held against.

`python -m scripts.benching.workflow URL` does what each line of its input says; `order`
is one workflow of DBOS: reserve, charge, confirm, commit. Each step is a transaction of
one statement, with the rows that the shop's step writes, and DBOS' checkpoint of the
step is in it, so that it acts once. The bank is left out: it agrees at once.
"""

import os
import random
import sys
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
import uvloop

from bus.kit.addressing import new_id
from scripts.benching.errands import Done, Errand, over_and_over, serve

POOL_MAX = 8
"""Twice a process, beside a shop's own connections; 12 were no faster than 6."""
# The fastest that is safe: stock is compared and set.
ISOLATION: Final = "READ COMMITTED"
PRICE = 1999
PAYLOAD = "{}" * 180  # an event's document

TABLES = (
    """CREATE TABLE stock (sku text PRIMARY KEY, on_hand int NOT NULL,
         reserved int NOT NULL, version int NOT NULL,
         CHECK (0 <= reserved AND reserved <= on_hand)) WITH (fillfactor = 50)""",
    """CREATE TABLE holds (order_id uuid, sku text, state text NOT NULL,
         quantity int NOT NULL, updated_at timestamptz NOT NULL,
         PRIMARY KEY (order_id, sku)) WITH (fillfactor = 70)""",
    """CREATE TABLE movements (sku text, number int, id uuid NOT NULL,
         kind text NOT NULL, order_id uuid, reserved_before int NOT NULL,
         reserved_after int NOT NULL, created_at timestamptz NOT NULL,
         PRIMARY KEY (sku, number))""",
    """CREATE TABLE orders (id uuid PRIMARY KEY, buyer text NOT NULL,
         status text NOT NULL, grand_amount int NOT NULL,
         created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL)
         WITH (fillfactor = 70)""",
    """CREATE TABLE lines (order_id uuid, sku text, quantity int NOT NULL,
         unit_amount int NOT NULL, PRIMARY KEY (order_id, sku))""",
    """CREATE TABLE timeline (order_id uuid, n int, what text NOT NULL,
         at timestamptz NOT NULL, PRIMARY KEY (order_id, n))""",
    """CREATE TABLE attempts (order_id uuid, number int, status text NOT NULL,
         amount int NOT NULL, at timestamptz NOT NULL,
         PRIMARY KEY (order_id, number))""",
    """CREATE TABLE ledger_lines (order_id uuid, line int, account text NOT NULL,
         amount int NOT NULL, at timestamptz NOT NULL,
         PRIMARY KEY (order_id, line))""",
    """CREATE TABLE outbox (n bigserial PRIMARY KEY, subject text NOT NULL,
         payload text NOT NULL)""",
)
STOCK = """INSERT INTO stock SELECT sku, 2000000000, 0, 1
  FROM unnest($1::text[]) AS sku"""

_RESERVE = sa.text("""
WITH ordered AS (
  INSERT INTO orders VALUES (:id, :buyer, 'PENDING', :price, now(), now())),
lined AS (INSERT INTO lines VALUES (:id, :sku, 1, :price)),
noted AS (INSERT INTO timeline VALUES (:id, 1, 'order_placed', now())),
taken AS (
  UPDATE stock SET reserved = reserved + 1, version = version + 1
  WHERE sku = :sku AND reserved < on_hand RETURNING reserved, version),
held AS (INSERT INTO holds SELECT :id, :sku, 'HELD', 1, now() FROM taken),
moved AS (
  INSERT INTO movements
  SELECT :sku, version, :id, 'RESERVE', :id, reserved - 1, reserved, now() FROM taken)
INSERT INTO outbox (subject, payload) SELECT subject, :payload
FROM taken, (VALUES ('order_placed'), ('stock_reserved')) AS told (subject)
""")
_CHARGE = sa.text("""
WITH tried AS (INSERT INTO attempts VALUES (:id, 1, 'SUCCEEDED', :price, now())),
booked AS (
  INSERT INTO ledger_lines SELECT :id, line, account, amount, now()
  FROM (VALUES (1, 'provider', CAST(:price AS int)), (2, 'sales', -CAST(:price AS int)))
    AS booked (line, account, amount))
INSERT INTO outbox (subject, payload) VALUES ('payment_succeeded', :payload)
""")
_CONFIRM = sa.text("""
WITH confirmed AS (
  UPDATE orders SET status = 'CONFIRMED', updated_at = now()
  WHERE id = :id AND status = 'PENDING'),
noted AS (INSERT INTO timeline VALUES (:id, 2, 'order_confirmed', now()))
INSERT INTO outbox (subject, payload) VALUES ('order_confirmed', :payload)
""")
_COMMIT = sa.text("""
WITH sold AS (
  UPDATE holds SET state = 'COMMITTED', updated_at = now()
  WHERE order_id = :id AND state = 'HELD')
INSERT INTO outbox (subject, payload) VALUES ('stock_committed', :payload)
""")
_STEPS = {
    "reserve": _RESERVE,
    "charge": _CHARGE,
    "confirm": _CONFIRM,
    "commit": _COMMIT,
}


async def _serve(url: str) -> None:
    from dbos import DBOS, AsyncSQLAlchemyDatasource  # noqa: PLC0415 - an extra

    DBOS(
        config={
            "name": "souk-bench",
            "system_database_url": url,
            "sys_db_pool_size": POOL_MAX,
            "application_version": "bench",
            "executor_id": str(os.getpid()),
            "log_level": "ERROR",
        }
    )
    source = await AsyncSQLAlchemyDatasource.create(
        url, engine_kwargs={"pool_size": POOL_MAX, "max_overflow": 0}
    )

    async def write(step: str, order_id: UUID, sku: str) -> None:
        values = {"id": order_id, "price": PRICE, "payload": PAYLOAD}
        values |= {"sku": sku, "buyer": str(order_id)}
        statement = _STEPS[step]
        wanted = {name: values[name] for name in statement.compile().params}
        await source.sql_session().execute(statement, wanted)

    steps = {
        name: source.transaction(name=name, isolation_level=ISOLATION)(write)
        for name in _STEPS
    }

    @DBOS.workflow()
    async def order(order_id: str, sku: str) -> None:
        for name, step in steps.items():
            await step(name, UUID(order_id), sku)

    DBOS.launch()

    async def do(errand: Errand) -> Done:
        def one() -> Any:
            sku = random.choice(errand.skus)  # noqa: S311 - no secret
            return order(str(new_id()), sku)

        return await over_and_over(errand, one)

    try:
        await serve(do)
    finally:
        DBOS.destroy()
        await source.engine.dispose()


if __name__ == "__main__":
    uvloop.run(_serve(sys.argv[1]))
