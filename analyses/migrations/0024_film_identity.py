"""Films say by themselves which study they are of, and what their header said at the door."""

from typing import Any

from django.db import migrations, models

CHUNK = 500


def copy_study_uids(apps: Any, _editor: Any) -> None:
    """Of films decoded before there was a column of its own."""
    Image = apps.get_model("analyses", "Image")
    changed = []
    for image in Image.objects.exclude(header={}).only("header", "study_instance_uid").iterator(CHUNK):
        image.study_instance_uid = str(image.header.get("study_instance_uid", ""))[:64]
        if image.study_instance_uid:
            changed.append(image)
        if len(changed) == CHUNK:
            Image.objects.bulk_update(changed, ["study_instance_uid"])
            changed = []
    Image.objects.bulk_update(changed, ["study_instance_uid"])


class Migration(migrations.Migration):
    dependencies = [("analyses", "0023_labels")]

    operations = [
        migrations.AddField("image", "early_header", models.JSONField(default=dict, null=True)),
        migrations.AddField(
            "image", "study_instance_uid", models.CharField(blank=True, db_index=True, max_length=64, default="")
        ),
        migrations.RunPython(copy_study_uids, migrations.RunPython.noop),
    ]
