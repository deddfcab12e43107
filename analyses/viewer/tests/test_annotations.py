"""Measurements: kept with author and time, computed here, taken back openly, in the report where they belong."""

import json

import numpy as np
import pytest
from django.utils import timezone

from accounts.models import AuditEvent, ReadingMode
from accounts.tests.factories import UserFactory
from analyses.answers.current import current_analyses
from analyses.errors import Conflict, Invalid
from analyses.models import Annotation, Study, Task, UnaidedReading
from analyses.reading import services as reading
from analyses.reports import content as reports
from analyses.reports import services as report_services
from analyses.tests.factories import ADVISED, PatientFactory, StudyFactory, deep_values, png_bytes, result
from analyses.viewer import annotations

pytestmark = pytest.mark.django_db
LINE = [[0.1, 0.1], [0.4, 0.1]]
BOX = [[0.25, 0.25], [0.75, 0.75]]


@pytest.fixture
def analysis(department):
    study = StudyFactory(owner=department, patient=PatientFactory(department=department))
    return result("malignant", study=study, image__film_bytes=png_bytes(64, 80), **deep_values())


@pytest.fixture
def web(client, doctor):
    client.force_login(doctor)
    return client


def post(web, analysis, **body):
    return web.post(f"/films/{analysis.pk}/annotations/add/", json.dumps(body), content_type="application/json")


def signed(study, doctor) -> Study:
    study.refresh_from_db()
    reading.save_reading(study, user=doctor, reading="malignant", structure=ADVISED)
    reading.sign(study, doctor)
    study.refresh_from_db()
    return study


def test_the_server_computes_the_figures_whatever_the_browser_says(web, doctor, analysis):
    answer = post(web, analysis, kind="rectangle", points=BOX, label="lesion", values={"mean": 1e9})
    assert answer.status_code == 201
    kept = Annotation.objects.get()
    held = np.arange(80 * 64).reshape(80, 64)[20:60, 16:48]
    assert kept.values["mean"] == pytest.approx(held.mean())
    assert (kept.author, kept.label, kept.value_unit) == (doctor, "lesion", "stored value")
    assert answer.json()["text"] == f"area 1,280 px², mean {held.mean():.1f}, SD {held.std():.1f} (stored value)"


def test_a_film_without_depth_is_measured_on_its_canonical_image(doctor, department):
    study = StudyFactory(owner=department)
    bare = result("benign", study=study, image__film_bytes=png_bytes(64, 80))
    kept = annotations.add(bare.image, doctor, kind="rectangle", points=BOX)
    assert kept.value_unit == "8-bit grey"
    assert 0 <= kept.values["lowest"] <= kept.values["mean"] <= kept.values["highest"] <= 255


def test_both_adding_and_taking_back_are_in_the_trail(web, doctor, analysis):
    made = post(web, analysis, kind="length", points=LINE).json()
    assert web.post(made["withdraw"]).json() == {"id": made["id"]}
    kept = Annotation.objects.get()
    assert (kept.withdrawn_by, kept.withdrawn_at is not None) == (doctor, True)
    trail = AuditEvent.objects.filter(case_id=analysis.image.study_id).order_by("pk")
    assert [event.action for event in trail] == ["add_annotation", "withdraw_annotation"]
    assert web.get(f"/films/{analysis.pk}/annotations/").json() == {"annotations": []}
    assert web.post(made["withdraw"]).json()["code"] == "already_withdrawn"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"kind": "volume", "points": LINE}, "bad_field"),
        ({"kind": "length", "points": [[0, 0]]}, "bad_field"),
        ({"kind": "length", "points": [[0, 0], [1.2, 0]]}, "bad_field"),
        ({"kind": "length", "points": [[0, 0], ["x", True]]}, "bad_field"),
        ({"kind": "length", "points": [[0, 0], [float("nan"), 0]]}, "bad_field"),
        ({"kind": "length", "points": "many"}, "bad_field"),
        ({"kind": "freehand", "points": [[0, 0]] * 501}, "bad_field"),
        ({"kind": "length", "points": [[0, 0], [10**310, 0]]}, "bad_field"),
        ({"kind": "length", "points": LINE, "label": "x" * 81}, "bad_field"),
        ({"kind": "length", "points": LINE, "label": "a\ud800"}, "bad_field"),
        ({"kind": "length", "points": LINE, "label": ["a"]}, "bad_field"),
        ({"kind": "length", "points": [[0.5, 0.5], [0.5, 0.5]]}, "empty_region"),
        ({"kind": "rectangle", "points": [[0.5, 0.5], [0.5001, 0.5001]]}, "empty_region"),
    ],
)
def test_nonsense_is_refused_with_a_sentence_and_nothing_is_kept(web, analysis, body, code):
    answer = post(web, analysis, **body)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert answer.json()["detail"]
    assert not Annotation.objects.exists()


def test_what_is_no_json_is_refused(web, analysis):
    answer = web.post(f"/films/{analysis.pk}/annotations/add/", b"[1", content_type="application/json")
    assert answer.json()["code"] == "bad_json"


def test_a_forged_post_is_refused(client, doctor, analysis):
    from django.test import Client

    strict = Client(enforce_csrf_checks=True)
    strict.force_login(doctor)
    assert post(strict, analysis, kind="length", points=LINE).status_code == 403
    assert not Annotation.objects.exists()


def test_before_the_signature_a_measurement_makes_the_next_report_a_new_one(doctor, analysis):
    study = analysis.image.study
    issued = report_services.issue_report(study, doctor)
    annotations.add(analysis.image, doctor, kind="length", points=LINE, label="cortex")
    issued.refresh_from_db()
    assert issued.state == "superseded"
    printed = reports.measurements(current_analyses(study, Task.TUMOUR))
    assert [(row["film"], row["one"].label, row["figures"]) for row in printed] == [("Film 1", "cortex", "19.2 px")]
    assert printed[0]["no_mm"] == "the file states no pixel spacing"


def test_the_report_prints_figures_author_and_time(doctor, analysis):
    from django.template.loader import render_to_string

    annotations.add(analysis.image, doctor, kind="length", points=LINE, label="cortex")
    rows = reports.measurements(current_analyses(analysis.image.study, Task.TUMOUR))
    text = render_to_string("analyses/reports/_measurements.html", {"measurements": rows})
    for part in ("Measurements", "cortex", "19.2 px", str(doctor), f"{timezone.now():%Y-%m-%d}"):
        assert part in text
    assert render_to_string("analyses/reports/_measurements.html", {"measurements": []}).strip() == ""


def test_after_the_signature_new_ones_are_kept_but_are_no_part_of_the_report(doctor, analysis):
    study = signed(analysis.image.study, doctor)
    later = annotations.add(analysis.image, doctor, kind="length", points=LINE)
    assert later.after_signature
    assert reports.measurements(current_analyses(study, Task.TUMOUR)) == []
    before = study.revision
    study.refresh_from_db()
    assert study.revision == before
    annotations.withdraw(later, doctor)


def test_what_stands_in_the_signed_report_cannot_be_taken_back(doctor, analysis):
    kept = annotations.add(analysis.image, doctor, kind="length", points=LINE)
    signed(analysis.image.study, doctor)
    with pytest.raises(Conflict, match="addendum"):
        annotations.withdraw(kept, doctor)


def test_withdrawn_ones_are_not_printed(doctor, analysis):
    annotations.withdraw(annotations.add(analysis.image, doctor, kind="length", points=LINE), doctor)
    assert reports.measurements(current_analyses(analysis.image.study, Task.TUMOUR)) == []


def test_a_film_takes_only_so_many(doctor, analysis, monkeypatch):
    monkeypatch.setattr(annotations, "MAX_PER_FILM", 1)
    annotations.add(analysis.image, doctor, kind="length", points=LINE)
    with pytest.raises(Conflict):
        annotations.add(analysis.image, doctor, kind="length", points=LINE)


def test_a_label_with_control_characters_is_refused(doctor, analysis):
    with pytest.raises(Invalid):
        annotations.add(analysis.image, doctor, kind="length", points=LINE, label="a\x00b")


def test_who_is_blind_sees_and_withdraws_only_own_measurements(web, doctor, analysis):
    """A colleague may have measured what the model outlined."""
    colleague = UserFactory(department=doctor.department, roles=["doctor"])
    theirs = annotations.add(analysis.image, colleague, kind="length", points=LINE)
    doctor.department.reading_mode = ReadingMode.OWN_FIRST
    doctor.department.save()
    assert web.get(f"/films/{analysis.pk}/annotations/").json() == {"annotations": []}
    assert web.post(f"/annotations/{theirs.pk}/withdraw/").status_code == 404
    mine = post(web, analysis, kind="angle", points=[[0, 0], [0, 1], [1, 1]]).json()
    shown = web.get(f"/films/{analysis.pk}/annotations/").json()["annotations"]
    assert [one["id"] for one in shown] == [mine["id"]]
    now = timezone.now()
    UnaidedReading.objects.create(
        study=analysis.image.study, reader=doctor, mode="own_first", reading="benign", opened_at=now, locked_at=now
    )
    assert len(web.get(f"/films/{analysis.pk}/annotations/").json()["annotations"]) == 2
