"""Fill the forms in which numbers are looked up and names are searched.

Charts whose numbers differ in spelling alone stay as they are: which one is right is for a person to say.
"""

from typing import Any

from django.db import migrations

from accounts.spelling import normal_number, search_joined, search_words

BATCH = 1000


def fill(apps: Any, _schema_editor: Any) -> None:
    patient, study = apps.get_model("analyses", "Patient"), apps.get_model("analyses", "Study")
    _fill(
        patient.objects.only("patient_id", "patient_name"),
        {
            "patient_id_normal": lambda row: normal_number(row.patient_id),
            "search_words": lambda row: search_words(row.patient_name),
            "search_joined": lambda row: search_joined(row.patient_name),
        },
    )
    _fill(
        study.objects.exclude(accession_number="").only("accession_number"),
        {"accession_number_normal": lambda row: normal_number(row.accession_number)},
    )


def _fill(rows: Any, columns: dict[str, Any]) -> None:
    """Page by page along the primary key, so that no table is held in memory."""
    last = None
    while True:
        ordered = rows.order_by("pk") if last is None else rows.filter(pk__gt=last).order_by("pk")
        page = list(ordered[:BATCH])
        if not page:
            return
        for row in page:
            for name, make in columns.items():
                setattr(row, name, make(row))
        rows.model.objects.bulk_update(page, list(columns))
        last = page[-1].pk


class Migration(migrations.Migration):
    dependencies = [("analyses", "0025_numbers_in_normal_form")]
    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
