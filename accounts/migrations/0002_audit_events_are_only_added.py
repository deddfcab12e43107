"""Postgres itself refuses to change or delete an audit event; SQLite relies on the model, being for trials."""

from django.db import migrations

FORWARDS = """
CREATE FUNCTION refuse_change_of_audit_event() RETURNS trigger AS $$
BEGIN
    RAISE EXCEPTION 'audit events are never changed or deleted';
END;
$$ LANGUAGE plpgsql;
CREATE TRIGGER audit_events_are_only_added BEFORE UPDATE OR DELETE ON accounts_auditevent
    FOR EACH ROW EXECUTE FUNCTION refuse_change_of_audit_event();
"""
BACKWARDS = """
DROP TRIGGER audit_events_are_only_added ON accounts_auditevent;
DROP FUNCTION refuse_change_of_audit_event();
"""


def forwards(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(FORWARDS)


def backwards(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(BACKWARDS)


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]
    operations = [migrations.RunPython(forwards, backwards)]
