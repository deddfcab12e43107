"""A film that is asked for a second task as well: when, how often, and what stays as it was with one task."""

import pytest

from analyses.answers.current import current_analyses, further_by_image
from analyses.models import Analysis, Study
from analyses.pipeline import comparison, further_tasks, holds, queue, running
from analyses.pipeline.reanalysis import reanalyse_case
from analyses.registry.uses import TUMOUR_ON_RADIOGRAPHS
from analyses.tests.factories import result
from analyses.tests.fakes import FakeFracturePredictor
from analyses.tests.uses import identity_of, put_in_force

pytestmark = pytest.mark.django_db
KEY = "second-1"


@pytest.fixture
def active(fracture, decoder, administrator) -> FakeFracturePredictor:
    """A model of fractures that an administrator has activated and a worker has loaded."""
    put_in_force(fracture, KEY, administrator)
    model = running._process["predictors"][KEY] = FakeFracturePredictor()
    model.identity = identity_of(KEY)
    return model


def further(film: Analysis) -> list[Analysis]:
    return list(Analysis.objects.exclude(task="tumour").filter(image=film.image).order_by("created_at"))


def answered(film: Analysis) -> Analysis:
    """The analysis of the second task; the worker that ended the first goes on with what waits."""
    (row,) = further(film)
    if row.status == "queued":
        assert running.run(row.pk, "w")
        row.refresh_from_db()
    return row


def test_with_one_active_task_a_film_is_asked_once(analyse):
    film = analyse()
    assert Analysis.objects.count() == 1
    assert further_by_image([film.image_id]) == {}


def test_a_film_is_asked_for_every_active_task_after_its_tumour(analyse, active, predictor):
    film = analyse()
    done = answered(film)
    assert (done.task, done.status, done.modality) == ("fracture", "succeeded", "DX")
    assert (done.requested_by, done.department) == (film.requested_by, film.department)
    assert (done.outcome, done.probabilities["fracture"], done.malignant_probability) == ("fracture", 0.8, None)
    assert (done.model_name, predictor.calls, active.calls) == ("second", 1, 1)
    assert done.regions[0]["probability"] == 0.9
    assert (done.warnings, further(film)) == ([], [done]), "an answer to the second task asks nothing more"


def test_the_second_task_neither_waits_in_the_case_nor_changes_its_answer(analyse, active):
    film = analyse()
    before = Study.objects.values("status", "outcome", "malignant_probability").get(pk=film.image.study_id)
    assert before["status"] == "succeeded"
    answered(film)
    after = Study.objects.values("status", "outcome", "malignant_probability").get(pk=film.image.study_id)
    assert after == before
    assert further_by_image([film.image_id]) == {film.image_id: further(film)}


def test_a_contradiction_of_the_file_is_asked_once_and_stands_on_the_tumours_analysis(analyse, active, decoder):
    from analyses.intake.services import CaseFields

    decoder.identity, decoder.warnings = {"patient_id": "R1", "patient_sex": "F"}, ["burned_in_annotation"]
    film = analyse(CaseFields(patient_id="R1", patient_sex="M"))
    assert film.open_warnings
    assert answered(film).warnings == []


def test_a_film_whose_modality_the_second_model_does_not_judge_is_not_asked(analyse, active, decoder):
    decoder.modality = "MR"
    film = analyse()
    assert (film.outcome, further(film)) == ("not_analysable", [])


def test_a_film_that_is_asked_again_for_its_tumour_is_not_asked_twice_for_the_second_task(analyse, active):
    film = analyse()
    answered(film)
    reanalyse_case(film.image.study_id)
    (again,) = Analysis.objects.filter(status="queued")
    assert running.run(again.pk, "w")
    assert len(further(film)) == 1


def test_a_case_that_was_signed_meanwhile_is_asked_nothing_more(analyse, fracture):
    film = analyse()
    studies = Study.objects.filter(pk=film.image.study_id)
    studies.update(reading_state="final")
    assert further_tasks.ask_further(film, film.image.study_id, [fracture]) == []
    studies.update(reading_state="in_reading")
    assert len(further_tasks.ask_further(film, film.image.study_id, [fracture])) == 1


def test_a_failure_of_the_second_task_leaves_the_first_answer_and_can_be_retried(analyse, active, doctor):
    active.error = ValueError("broken")
    film = analyse()
    failed = answered(film)
    assert (failed.status, failed.error_code) == ("failed", "internal_error")
    assert current_analyses(film.image.study, "tumour") == [film]
    active.error = None
    queue.retry(failed, doctor)
    assert answered(film).outcome == "fracture"


def test_films_from_before_the_activation_are_asked_by_a_reanalysis_of_that_task(
    analyse, decoder, fracture, administrator
):
    film = analyse()
    assert reanalyse_case(film.image.study_id, use=fracture).queued == 0, "no model answers"
    put_in_force(fracture, KEY, administrator)
    assert reanalyse_case(film.image.study_id, use=fracture).queued == 1
    assert [row.task for row in further(film)] == ["fracture"]
    assert reanalyse_case(film.image.study_id, use=fracture).unfinished == 1
    assert Analysis.objects.filter(image=film.image, task="tumour").count() == 1


def test_a_hold_of_the_second_task_puts_its_answers_away_and_gives_them_back(analyse, active, fracture, administrator):
    film = analyse()
    done = answered(film)
    holds.withhold_for_all(reason="drift", by=administrator, use=fracture)
    done.refresh_from_db()
    assert (done.outcome, done.probabilities, done.regions) == ("withheld", None, [])
    assert Analysis.objects.get(pk=film.pk).outcome == film.outcome
    assert holds.in_force(TUMOUR_ON_RADIOGRAPHS) is None
    holds.lift(reason="mended", by=administrator, use=fracture)
    done.refresh_from_db()
    assert (done.outcome, done.probabilities["fracture"]) == ("fracture", 0.8)


def test_models_of_the_second_task_are_compared_by_its_own_outcomes():
    rows = [
        {"analysis": "1", "a": "fracture", "b": "no_fracture", "a_malignant": 0.8, "b_malignant": 0.2},
        {"analysis": "2", "a": "fracture", "b": "fracture", "a_malignant": 0.8, "b_malignant": 0.9},
    ]
    found = comparison.summary(rows, "fracture")
    assert found["matrix"][0] == [1, 1, 0, 0]
    assert found["flips"][0]["difference"] == -0.6


def test_a_comparison_of_the_second_task_reads_the_probability_of_a_fracture(analyse, active, fracture):
    film = analyse()
    done = answered(film)
    row = comparison._compare(str(done.pk), KEY, KEY)
    assert (row["a"], row["a_malignant"]) == ("fracture", 0.8)


def test_the_trail_names_the_task_of_an_answer_that_is_not_the_tumours(analyse, active):
    from accounts.models import AuditEvent

    film = analyse()
    answered(film)
    details = list(AuditEvent.objects.filter(action="result").order_by("pk").values_list("detail", flat=True))
    assert [detail.get("task", "") for detail in details] == ["", "fracture"]
    assert result("benign").task == "tumour"
