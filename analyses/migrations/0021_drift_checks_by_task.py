"""Windows of drift monitoring are of a modality and a task, because one model may answer for several."""

from django.db import migrations, models

TASK = {"choices": [("tumour", "tumour")], "default": "tumour", "max_length": 16}


class Migration(migrations.Migration):
    dependencies = [("analyses", "0020_analyses_by_task")]

    operations = [
        migrations.AddField("driftcheck", "modality", models.CharField(default="DX", max_length=16)),
        migrations.AddField("driftcheck", "task", models.CharField(**TASK)),
        migrations.RemoveConstraint("driftcheck", "one_check_per_window"),
        migrations.AddConstraint(
            "driftcheck",
            models.UniqueConstraint(
                fields=["series", "modality", "task", "model_key", "number"], name="one_check_per_window_and_use"
            ),
        ),
    ]
