"""Activations, holds and comparisons are of a modality and a task; those made before are of tumours."""

from django.db import migrations, models

TASK = {"choices": [("tumour", "tumour")], "default": "tumour", "max_length": 16}


class Migration(migrations.Migration):
    dependencies = [("analyses", "0018_unaided_readings_and_revisions")]

    operations = [
        *(
            migrations.AddField(name, "task", models.CharField(**TASK))
            for name in ("modelactivation", "modelhold", "modelcomparison")
        ),
        migrations.RemoveIndex("modelactivation", "activation_in_force"),
        migrations.AddIndex(
            "modelactivation", models.Index(fields=["modality", "task", "-id"], name="activation_in_force_by_task")
        ),
        migrations.RemoveConstraint("modelhold", "one_open_hold_per_modality"),
        migrations.AddConstraint(
            "modelhold",
            models.UniqueConstraint(
                fields=["modality", "task"],
                condition=models.Q(lifted_at__isnull=True),
                name="one_open_hold_per_modality_and_task",
            ),
        ),
    ]
