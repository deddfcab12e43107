# Written by hand: films decoded before kept one number, and Pixel Spacing alone was taken for calibrated.

from django.db import migrations

CALIBRATED, NOT_STATED = "calibrated", "calibration not stated"
SLICES = ("CT", "MR", "PT", "NM")


def pairs(apps, schema_editor):
    """One number becomes [row, column]; whether a projection was calibrated can no longer be told from the row."""
    Image = apps.get_model("analyses", "Image")
    for image in Image.objects.exclude(pixel_spacing_mm=None).only("pixel_spacing_mm", "spacing_source", "header"):
        spacing = image.pixel_spacing_mm
        if isinstance(spacing, (int, float)):
            image.pixel_spacing_mm = [spacing, spacing]
        if image.spacing_source == CALIBRATED and image.header.get("modality") not in SLICES:
            image.spacing_source = NOT_STATED
        image.save(update_fields=["pixel_spacing_mm", "spacing_source"])


class Migration(migrations.Migration):
    dependencies = [("analyses", "0003_answer_details")]

    operations = [migrations.RunPython(pairs, migrations.RunPython.noop)]
