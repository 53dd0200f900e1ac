"""The kit's tables: slots, outbox, handled commands, claims, due messages."""

from alembic import op

revision = "kit_0000"
down_revision = None
branch_labels = None

TABLES = (
    """CREATE TABLE slots (
         slot smallint PRIMARY KEY,
         shard integer NOT NULL,
         epoch bigint NOT NULL DEFAULT 0,
         published bigint NOT NULL DEFAULT 0)""",
    """COMMENT ON TABLE slots IS
       'Who owns each slot, and how far its events are published.'""",
    """CREATE TABLE stream (
         shard integer PRIMARY KEY,
         created text NOT NULL,
         sequence bigint NOT NULL)""",
    "COMMENT ON TABLE stream IS 'The event stream as each shard last saw it.'",
    """CREATE TABLE outbox (
         slot smallint NOT NULL,
         n bigint NOT NULL,
         day date NOT NULL,
         id uuid NOT NULL,
         subject text NOT NULL,
         payload text NOT NULL,
         PRIMARY KEY (slot, n, day)) PARTITION BY RANGE (day)""",
    "CREATE TABLE outbox_default PARTITION OF outbox DEFAULT",
    """COMMENT ON TABLE outbox IS
       'Events, by slot in commit order, on their way; kept 7 days.'""",
    "CREATE TABLE sequences (subject text PRIMARY KEY, sequence bigint NOT NULL)",
    "COMMENT ON TABLE sequences IS 'The number of each entity''s last event.'",
    """CREATE TABLE handled (
         command_id uuid NOT NULL,
         day date NOT NULL,
         slot smallint NOT NULL,
         state smallint NOT NULL,
         body_hash bytea,
         resume_kind text,
         resume bytea,
         answer_kind smallint,
         answer bytea,
         PRIMARY KEY (command_id, day)) PARTITION BY RANGE (day)""",
    "CREATE INDEX handled_unfinished ON handled (slot) WHERE state < 2",
    "CREATE TABLE handled_default PARTITION OF handled DEFAULT",
    """COMMENT ON TABLE handled IS
       'Commands that have acted, with their answers, ids only; kept 8 days.'""",
    """CREATE TABLE claims (
         kind text NOT NULL,
         value text NOT NULL,
         owner_id uuid NOT NULL,
         PRIMARY KEY (kind, value))""",
    "COMMENT ON TABLE claims IS 'Values that are unique over all keys.'",
    """CREATE TABLE due (
         name text PRIMARY KEY,
         id uuid NOT NULL,
         slot smallint NOT NULL,
         at timestamptz NOT NULL,
         kind text NOT NULL,
         message bytea NOT NULL)""",
    "CREATE INDEX due_by_time ON due (slot, at)",
    """COMMENT ON TABLE due IS
       'Messages that the slot''s owner sends itself when their time comes.'""",
)


def upgrade() -> None:
    """Make the tables."""
    for statement in TABLES:
        op.execute(statement)
