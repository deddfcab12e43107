"""The export of a reader study: every reading, explained, and nobody's identity."""

import codecs
import csv
import io
import re
import zipfile

import pytest
from django.urls import reverse

from accounts.models import AuditEvent
from accounts.tests.factories import UserFactory
from analyses.evidence.reader_studies import reading, services
from analyses.evidence.reader_studies.export import COLUMNS
from analyses.evidence.reader_studies.tests import plain_judge, read_session, signed_case
from analyses.models import ReaderStudyReading

pytestmark = pytest.mark.django_db


def exported(admin, reader_study) -> dict[str, list[dict[str, str]]]:
    answer = admin.get(reverse("analyses:reader_study_export", args=[reader_study.pk]))
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/zip")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    assert all(data.startswith(codecs.BOM_UTF8) for data in files.values())
    return {name: list(csv.DictReader(io.StringIO(data.decode("utf-8-sig")))) for name, data in files.items()}


def test_the_export_holds_every_reading_and_explains_every_column(admin, administrator, reader_study, reader):
    read_session(reader)
    row = reading.open_next(reader, reader.user)
    assert row.reading is None
    services.close(reader_study, administrator)
    files = exported(admin, reader_study)
    rows, words = files["readings.csv"], files["data-dictionary.csv"]
    assert len(rows) == 16
    assert [word["column"] for word in words] == list(rows[0]) == [column.name for column in COLUMNS]
    assert all(word[part] for word in words for part in ("type", "values", "meaning"))
    done = [line for line in rows if line["submitted_at"]]
    assert len(done) == 4
    for line in done:
        kept = ReaderStudyReading.objects.get(
            reader__number=line["reader"], study_case__number=line["case"], condition=line["condition"]
        )
        assert kept.reader.reader_study == reader_study
        assert (line["reading"], line["likelihood"]) == tuple(map(str, plain_judge(kept)))
        assert line["truth"] == kept.study_case.truth
        assert (line["model_outcome"], line["model_probability"]) == ("malignant", "0.8000")
        assert float(line["time_s"]) == pytest.approx(kept.time_s, abs=0.06)
    event = AuditEvent.objects.get(action="export_reader_study")
    assert event.detail == {"rows": 16}


def test_the_export_names_neither_patients_nor_readers_nor_cases_of_the_record(admin, administrator, reader_study):
    services.close(reader_study, administrator)
    shown = str(exported(admin, reader_study))
    for case in reader_study.cases.select_related("case__patient"):
        assert not {str(case.case_id), case.case.patient.patient_id} & set(re.findall(r"[\w-]+", shown))
    assert "@" not in shown


def test_a_withheld_answer_leaves_no_probability_in_the_export(admin, administrator, department):
    reader_study = services.create_reader_study(name="x", department=department, washout_days=0, by=administrator)
    rows = [(str(signed_case(department, "withheld").pk), "malignant") for _ in range(2)]
    services.add_cases(reader_study, rows, administrator)
    services.add_reader(reader_study, UserFactory(department=department, roles=["doctor"]), administrator)
    services.start(reader_study, administrator)
    services.close(reader_study, administrator)
    lines = exported(admin, reader_study)["readings.csv"]
    assert {(line["model_outcome"], line["model_probability"]) for line in lines} == {("withheld", "")}


def test_the_documentation_explains_the_columns_as_the_export_does(settings):
    documented = (settings.BASE_DIR / "docs" / "reader-studies.md").read_text()
    lines = [f"| `{column.name}` | {column.kind} | {column.values} | {column.meaning} |" for column in COLUMNS]
    assert [line for line in lines if line not in documented] == []
