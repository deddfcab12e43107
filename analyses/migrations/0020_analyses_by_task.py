"""Every analysis says what was asked of which modality's model: so far tumours, of radiographs or of nobody."""

from django.db import migrations, models

TASK = {"choices": [("tumour", "tumour")], "default": "tumour", "max_length": 16}


def without_model(apps, schema_editor):
    apps.get_model("analyses", "Analysis").objects.filter(reason_code="no_model_for_modality").update(modality="")


class Migration(migrations.Migration):
    dependencies = [("analyses", "0019_models_by_task")]

    operations = [
        migrations.AddField("analysis", "task", models.CharField(**TASK)),
        migrations.AddField("analysis", "modality", models.CharField(blank=True, default="DX", max_length=16)),
        migrations.RunPython(without_model, migrations.RunPython.noop),
    ]
