"""The audit log: who did what to which entity; rows are added, and nothing else."""

from alembic import op

revision = "kit_0002"
down_revision = "kit_0001"
branch_labels = None
depends_on = None

TABLE = (
    """CREATE TABLE audit (
         id uuid NOT NULL,
         day date NOT NULL,
         at timestamptz NOT NULL,
         action text NOT NULL,
         actor text NOT NULL,
         entity text NOT NULL,
         before jsonb,
         after jsonb,
         request_id text,
         PRIMARY KEY (id, day)) PARTITION BY RANGE (day)""",
    "CREATE INDEX audit_by_entity ON audit (entity, id)",
    "CREATE INDEX audit_by_actor ON audit (actor, id)",
    "CREATE TABLE audit_default PARTITION OF audit DEFAULT",
    """COMMENT ON TABLE audit IS
       'Who did what to which entity, ids and facts only; kept 400 days.'""",
    # What is too old goes with its day, or from the default partition row by row.
    """CREATE FUNCTION audit_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
       BEGIN
         IF TG_OP = 'DELETE' AND OLD.day < current_date - 400 THEN
           RETURN OLD;
         END IF;
         RAISE EXCEPTION 'the audit log is append-only'
           USING ERRCODE = 'insufficient_privilege';
       END $$""",
    """CREATE TRIGGER audit_is_kept BEFORE UPDATE OR DELETE ON audit
       FOR EACH ROW EXECUTE FUNCTION audit_is_kept()""",
    """CREATE FUNCTION audit_is_not_emptied() RETURNS trigger LANGUAGE plpgsql AS $$
       BEGIN
         RAISE EXCEPTION 'the audit log is append-only'
           USING ERRCODE = 'insufficient_privilege';
       END $$""",
    """CREATE TRIGGER audit_is_not_emptied BEFORE TRUNCATE ON audit
       FOR EACH STATEMENT EXECUTE FUNCTION audit_is_not_emptied()""",
)


def upgrade() -> None:
    """Make the table, and refuse what would change it."""
    for statement in TABLE:
        op.execute(statement)
