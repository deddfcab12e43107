"""The field's names for two models; tables and columns keep the names of their first version, so no row is touched."""

import django.db.models.deletion
from django.db import migrations, models

UNAIDED = {"primary_key": True, "on_delete": django.db.models.deletion.PROTECT, "related_name": "revision"}


class Migration(migrations.Migration):
    dependencies = [("analyses", "0017_study_draws")]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterModelTable("ownreading", "analyses_ownreading"),
                migrations.RenameModel("OwnReading", "UnaidedReading"),
                migrations.AlterModelTable("changeofmind", "analyses_changeofmind"),
                migrations.RenameModel("ChangeOfMind", "ReadingRevision"),
                migrations.RenameField("readingrevision", "own", "unaided"),
                migrations.AlterField(
                    "readingrevision",
                    "unaided",
                    models.OneToOneField(to="analyses.unaidedreading", db_column="own_id", serialize=False, **UNAIDED),
                ),
                migrations.AlterField(
                    "readingrevision",
                    "review",
                    models.OneToOneField(
                        to="analyses.review", on_delete=django.db.models.deletion.PROTECT, related_name="revision"
                    ),
                ),
                migrations.RenameField("readingrevision", "own_reading_ms", "unaided_reading_ms"),
                migrations.AlterField(
                    "readingrevision", "unaided_reading_ms", models.PositiveBigIntegerField(db_column="own_reading_ms")
                ),
                migrations.AlterField(
                    "unaidedreading",
                    "study",
                    models.ForeignKey(
                        to="analyses.study",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="unaided_readings",
                    ),
                ),
            ],
        )
    ]
