"""Which days of the audit log hold an entity or an actor: no other day is opened."""

from alembic import op

revision = "kit_0004"
down_revision = "kit_0003"
branch_labels = None
depends_on = None

# A trigger, and not the shop's code: the last release writes entries beside this one.
DAYS = (
    """CREATE TABLE audit_days (
         kind text NOT NULL,
         name text NOT NULL,
         day date NOT NULL,
         PRIMARY KEY (kind, name, day))""",
    "CREATE INDEX audit_days_by_day ON audit_days (day)",
    """COMMENT ON TABLE audit_days IS
       'Days of the audit log with entries of an entity or an actor, or with any.'""",
    """CREATE FUNCTION audit_day_is_noted() RETURNS trigger LANGUAGE plpgsql AS $$
       BEGIN
         INSERT INTO audit_days (kind, name, day)
         SELECT DISTINCT kind, name, day FROM added CROSS JOIN LATERAL
           (VALUES ('any', ''), ('entity', entity), ('actor', actor))
             AS noted (kind, name)
         ORDER BY kind, name, day
         ON CONFLICT DO NOTHING;
         RETURN NULL;
       END $$""",
    """CREATE TRIGGER audit_day_is_noted AFTER INSERT ON audit
       REFERENCING NEW TABLE AS added
       FOR EACH STATEMENT EXECUTE FUNCTION audit_day_is_noted()""",
    # From here on nobody adds an entry until this has committed.
    """INSERT INTO audit_days (kind, name, day)
       SELECT DISTINCT kind, name, day FROM audit CROSS JOIN LATERAL
         (VALUES ('any', ''), ('entity', entity), ('actor', actor))
           AS noted (kind, name)""",
    """CREATE TRIGGER audit_days_are_kept BEFORE UPDATE OR DELETE ON audit_days
       FOR EACH ROW EXECUTE FUNCTION audit_is_kept()""",
    """CREATE TRIGGER audit_days_are_not_emptied BEFORE TRUNCATE ON audit_days
       FOR EACH STATEMENT EXECUTE FUNCTION audit_is_not_emptied()""",
)


def upgrade() -> None:
    """Make the table, fill it from the log, and have it follow the log."""
    for statement in DAYS:
        op.execute(statement)
