"""What a film is by its file or its uploader, what a doctor corrected of it, and which tags kept it from the model."""

from django.db import migrations, models


def stated(apps, schema_editor):
    """Films that are there: the modality that their file says, else what was typed."""
    image = apps.get_model("analyses", "Image")
    for row in image.objects.only("pk", "header", "typed").iterator(chunk_size=500):
        modality = row.header.get("modality") or row.typed.get("modality") or ""
        if modality:
            image.objects.filter(pk=row.pk).update(modality=modality[:16])


class Migration(migrations.Migration):
    dependencies = [("analyses", "0027_void_after_move")]

    operations = [
        migrations.AddField("analysis", "outside_use", models.JSONField(default=list)),
        migrations.AlterField("analysis", "modality", models.CharField(blank=True, default="", max_length=16)),
        migrations.AddField("image", "modality", models.CharField(blank=True, default="", max_length=16)),
        migrations.AddField("image", "corrected", models.JSONField(default=dict)),
        migrations.RunPython(stated, migrations.RunPython.noop),
    ]
