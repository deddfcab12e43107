"""Postgres itself refuses to change a drawn lot or a locked reading; SQLite relies on the models, being for trials."""

from django.db import migrations

TABLES = ("analyses_trialblock", "analyses_trialallocation", "analyses_changeofmind")
REFUSE = """
CREATE FUNCTION refuse_change_of_lot() RETURNS trigger AS $$
BEGIN
    RAISE EXCEPTION 'lots and comparisons of readings are never changed or deleted';
END;
$$ LANGUAGE plpgsql;
CREATE FUNCTION refuse_change_of_own_reading() RETURNS trigger AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'own readings are never deleted';
    END IF;
    IF (NEW.study_id, NEW.reader_id, NEW.mode, NEW.arm, NEW.opened_at)
        IS DISTINCT FROM (OLD.study_id, OLD.reader_id, OLD.mode, OLD.arm, OLD.opened_at) THEN
        RAISE EXCEPTION 'whose own reading it is, its mode and its arm are never changed';
    END IF;
    IF OLD.locked_at IS NOT NULL
        AND (NEW.reading, NEW.likelihood, NEW.region, NEW.locked_at, NEW.locked_sha256)
        IS DISTINCT FROM (OLD.reading, OLD.likelihood, OLD.region, OLD.locked_at, OLD.locked_sha256) THEN
        RAISE EXCEPTION 'a locked own reading is never changed';
    END IF;
    IF OLD.answer ->> 'complete' = 'true' AND NEW.answer IS DISTINCT FROM OLD.answer THEN
        RAISE EXCEPTION 'the answer of the lock is never changed';
    END IF;
    RETURN NEW;
END;
$$ LANGUAGE plpgsql;
CREATE TRIGGER own_readings_hold BEFORE UPDATE OR DELETE ON analyses_ownreading
    FOR EACH ROW EXECUTE FUNCTION refuse_change_of_own_reading();
"""
ADD = "CREATE TRIGGER {0}_is_only_added BEFORE UPDATE OR DELETE ON {0} FOR EACH ROW EXECUTE FUNCTION refuse_change_of_lot();"
DROP = "DROP TRIGGER {0}_is_only_added ON {0};"
ALLOW = """
DROP TRIGGER own_readings_hold ON analyses_ownreading;
DROP FUNCTION refuse_change_of_own_reading();
DROP FUNCTION refuse_change_of_lot();
"""


def forwards(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(REFUSE)
        for table in TABLES:
            schema_editor.execute(ADD.format(table))


def backwards(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        for table in TABLES:
            schema_editor.execute(DROP.format(table))
        schema_editor.execute(ALLOW)


class Migration(migrations.Migration):
    dependencies = [("analyses", "0010_reading_first")]
    operations = [migrations.RunPython(forwards, backwards)]
