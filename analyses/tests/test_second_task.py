"""A case that was answered for two tasks, wherever it is met: case page, API, worklist, report."""

import pytest
from django.test import Client

from accounts.models import ReadingMode
from analyses.api.tests.test_api_read import address
from analyses.blinding.case_state import CaseState
from analyses.models import Analysis, Report, Task
from analyses.reports.content import report_context
from analyses.tests.factories import REGION, StudyFactory, result

pytestmark = pytest.mark.django_db
SAID = {
    "task": "fracture",
    "probabilities": {"no_fracture": 0.2, "fracture": 0.8},
    "operating_point": {"name": "balanced", "finding": 0.4},
    "malignant_probability": None,
    "model_name": "bonescan-fracture",
    "regions": [REGION],
    "subtypes": [],
}


@pytest.fixture
def answered(doctor):
    """Makes a film's answers to both tasks, in the doctor's department."""

    def make(outcome: str = "fracture", **fields) -> tuple[Analysis, Analysis]:
        film = result("benign", image__study__owner=doctor.department)
        return film, result(outcome, image=film.image, **SAID | fields)

    return make


@pytest.fixture
def case_text(client: Client, doctor):
    client.force_login(doctor)
    return lambda film: client.get(f"/cases/{film.image.study_id}/").content.decode()


def test_the_case_page_shows_one_block_for_each_task_the_tumour_first(case_text, answered):
    film, _ = answered()
    text = case_text(film)
    assert text.index('id="answer-head">Tumour') < text.index('id="answer-fracture-head">Fracture')
    assert text.index("Benign features") < text.index("Fracture suspected")
    assert "operating point of 0.40 for a fracture" in text
    assert "Probability of a fracture 0.80 on a scale" in text
    assert "Fracture: Outline" in text
    assert "bonescan-fracture" in text


def test_a_case_of_one_task_names_none(case_text, doctor):
    text = case_text(result("benign", image__study__owner=doctor.department))
    assert 'id="answer-head">Second opinion' in text
    assert "answer-fracture-head" not in text
    assert "Fracture" not in text


@pytest.mark.parametrize(
    ("outcome", "fields", "words"),
    [
        ("no_fracture", {"regions": []}, ["No fracture found", "image further"]),
        ("withheld", {"withheld_reasons": ["set_undecided"], "prediction_set": []}, ["both are excluded"]),
        (
            "withheld",
            {"withheld_reasons": ["set_undecided"], "prediction_set": ["no_fracture", "fracture"]},
            ["cannot decide between no fracture and fracture"],
        ),
        ("not_analysable", {"reason_code": "blank_image", "probabilities": None}, ["almost no contrast"]),
        ("", {"status": "failed", "error_code": "corrupt", "error_message": "Broken."}, ["Broken.", "Retry"]),
        ("", {"status": "queued"}, ["Waiting", "Cancel analysis", "case-poll"]),
        ("", {"status": "cancelled"}, ["The analysis was stopped"]),
    ],
)
def test_every_state_of_the_second_answer_says_what_to_do(case_text, outcome, fields, words, answered):
    film, _ = answered(outcome, **fields)
    text = case_text(film)
    for word in words:
        assert word in text


def test_whoever_is_blind_sees_neither_answer(case_text, client, doctor, answered):
    film, _ = answered()
    doctor.department.reading_mode = ReadingMode.OWN_FIRST
    doctor.department.save()
    text = case_text(film)
    assert "Fracture suspected" not in text
    assert "bonescan-fracture" not in text
    assert CaseState(film.image.study, doctor).further == {}
    assert "Fracture suspected" not in client.get("/cases/").content.decode()
    body = client.get(address(film)).json()
    assert (body["blinded"], body["result"], body["results"]) == (True, None, [])


def test_the_api_lists_the_results_by_task_and_keeps_the_tumours_in_its_place(client, doctor, answered):
    film, _ = answered()
    client.force_login(doctor)
    body = client.get(address(film)).json()
    assert body["result"]["outcome"] == "benign"
    tumour, fracture = body["results"]
    assert (tumour["task"], tumour["result"], tumour["model"]) == ("tumour", body["result"], body["model"])
    assert (fracture["task"], fracture["status"], fracture["error"]) == ("fracture", "succeeded", None)
    assert fracture["result"]["outcome"] == "fracture"
    assert list(fracture["result"]["probabilities"]) == ["fracture", "no_fracture"]
    assert fracture["result"]["regions"][0]["probability"] == REGION["probability"]
    assert client.get(address(Analysis.objects.get(task="fracture"))).status_code == 404


def test_the_api_says_that_the_second_task_still_waits_and_withholds_its_figures(client, doctor, answered):
    film, second = answered("", status="queued")
    client.force_login(doctor)
    waiting = client.get(address(film)).json()["results"][1]
    assert (waiting["status"], waiting["result"]) == ("queued", None)
    Analysis.objects.filter(pk=second.pk).update(status="succeeded", outcome="withheld")
    withheld = client.get(address(film)).json()["results"][1]["result"]
    assert (withheld["outcome"], withheld["probabilities"], withheld["leaning"]) == ("withheld", None, None)


def test_the_worklist_names_the_task_of_the_second_answer(client, doctor, answered):
    answered()
    client.force_login(doctor)
    text = client.get("/cases/").content.decode()
    assert "Benign features" in text
    assert text.index("Fracture: <span") < text.index("Fracture suspected")


def test_the_worklist_shows_the_most_suspicious_film_of_each_task(client, doctor):
    study = StudyFactory(owner=doctor.department)
    for outcome in ("no_fracture", "fracture", "withheld"):
        film = result("normal", study=study)
        result(outcome, image=film.image, **SAID)
    client.force_login(doctor)
    text = client.get("/cases/").content.decode()
    assert "Fracture suspected" in text
    assert "No fracture found" not in text


def test_the_report_prints_each_task_in_a_block_of_its_own(doctor, answered):
    film, second = answered()
    report = Report(study=film.image.study, kind="preliminary", verification_code="X", issued_at=film.created_at)
    context = report_context(report, None, [film], {"fracture": [second]})
    ((task, (printed,)),) = context["further"]
    assert (task, printed.word, printed.probability, printed.number) == ("fracture", "Fracture suspected", 0.8, 1)
    assert "for a fracture" in printed.line
    assert printed.sizes
    assert [row.model_name for row in context["models"]] == [film.model_name, "bonescan-fracture"]
    assert report_context(report, None, [film])["further"] == []


def test_the_outlines_of_the_tasks_are_drawn_apart(case_text, answered):
    film, _ = answered()
    text = case_text(film)
    assert text.count("outline-line--further") == 1
    assert Task.FRACTURE.label == "fracture"
