"""Names of this version for saved filters and for readers; tables and columns stay, so no row is touched."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("analyses", "0021_drift_checks_by_task"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterModelTable("savedview", "analyses_savedview"),
                migrations.RenameModel("SavedView", "SavedFilter"),
                migrations.AlterField(
                    "savedfilter",
                    "user",
                    models.ForeignKey(
                        to=settings.AUTH_USER_MODEL,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="saved_filters",
                    ),
                ),
                migrations.AlterField(
                    "readerstudyreader",
                    "user",
                    models.ForeignKey(
                        to=settings.AUTH_USER_MODEL,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="reader_study_readers",
                    ),
                ),
            ],
        )
    ]
