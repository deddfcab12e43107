"""Two models answer side by side, of different modality or task: neither touches the other's images, answers, holds."""

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from analyses.answers.current import current_analyses
from analyses.models import Analysis, Task
from analyses.pipeline import comparison, holds, queue, running
from analyses.pipeline.reanalysis import reanalyse_case
from analyses.registry import services as registry
from analyses.registry.uses import TUMOUR_ON_RADIOGRAPHS
from analyses.reports.services import issue_report
from analyses.tests.factories import AnalysisFactory, StudyFactory, result
from analyses.tests.fakes import FakePredictor
from analyses.tests.toy_model import install_toy
from analyses.tests.uses import SECOND, answer_of, identity_of, put_in_force

pytestmark = pytest.mark.django_db
KEY = "second-1"


@pytest.fixture
def loaded(decoder) -> FakePredictor:
    """A second model that a worker has loaded, for whatever use it is put active."""
    model = running._process["predictors"][KEY] = FakePredictor()
    model.identity = identity_of(KEY)
    return model


def row(analysis: Analysis) -> Analysis:
    return Analysis.objects.select_related("image__study").get(pk=analysis.pk)


def asked_too(answered: Analysis, use) -> Analysis:
    """One more analysis of the same image, for another use, as a worker ended it."""
    waiting = AnalysisFactory(image=answered.image, task=use.task)
    assert running.run(waiting.pk, "w")
    return row(waiting)


def test_the_worker_asks_the_model_of_the_images_own_modality(
    analyse, decoder, predictor, loaded, magnetic, administrator
):
    put_in_force(magnetic, KEY, administrator)
    film = analyse()
    decoder.modality = "MR"
    slice_ = analyse()
    assert (predictor.calls, loaded.calls) == (1, 1)
    assert [(one.modality, one.outcome) for one in (film, slice_)] == [("DX", "malignant"), ("MR", "malignant")]


def test_a_modality_whose_model_nobody_activated_is_not_judged(analyse, decoder, predictor, magnetic):
    decoder.modality = "MR"
    done = analyse()
    assert (done.outcome, done.reason_code, done.modality) == ("not_analysable", "no_model_for_modality", "")
    assert predictor.calls == 0


def test_the_worker_asks_the_model_of_the_analysis_s_task(analyse, predictor, loaded, fracture, administrator):
    first = analyse()
    put_in_force(fracture, KEY, administrator)
    second = asked_too(first, fracture)
    assert (predictor.calls, loaded.calls) == (1, 1)
    assert (second.task, second.outcome) == ("fracture", "malignant")


def test_a_model_that_was_asked_for_by_name_judges_no_image_of_another_modality(
    doctor, decoder, loaded, magnetic, analyse
):
    loaded.card = {"modality": ["DX"]}
    decoder.modality = "MR"
    waiting = AnalysisFactory(image=analyse().image, wanted_model=KEY)
    assert running.run(waiting.pk, "w")
    assert (row(waiting).reason_code, loaded.calls) == ("no_model_for_modality", 0)


def test_the_answer_to_another_task_says_nothing_of_the_case(analyse, loaded, fracture, administrator, client, doctor):
    first = analyse()
    put_in_force(fracture, KEY, administrator)
    Analysis.objects.filter(pk=first.pk).update(outcome="benign", malignant_probability=0.1)
    before = row(first).image.study
    second = asked_too(first, fracture)
    study = row(first).image.study
    assert study.status == "succeeded"
    assert study.revision > before.revision, "the next report prints it"
    assert (study.outcome, study.malignant_probability) == ("benign", 0.1)
    assert current_analyses(study, Task.TUMOUR) == [first]
    assert current_analyses(study, "fracture") == [second]
    client.force_login(doctor)
    page = client.get(f"/cases/{study.pk}/")
    assert [film.analysis for film in page.context["films"]] == [first]
    assert page.context["films"][0].earlier == []


def test_another_task_that_waits_or_fails_leaves_the_case_as_it_is(analyse, loaded, fracture, administrator):
    first = analyse()
    put_in_force(fracture, KEY, administrator)
    before = row(first).image.study
    AnalysisFactory(image=first.image, task="fracture")
    loaded.error = ValueError("broken")
    assert asked_too(first, fracture).status == "failed"
    after = row(first).image.study
    assert (after.status, after.outcome) == (before.status, before.outcome)


@pytest.mark.parametrize("second", SECOND, indirect=True)
def test_a_hold_touches_the_answers_of_its_use_alone(second, administrator):
    film, other = result("malignant"), answer_of(second)
    holds.withhold_for_all(reason="drift", by=administrator, use=second)
    assert (row(film).outcome, row(other).outcome) == ("malignant", "withheld")
    assert (holds.in_force(TUMOUR_ON_RADIOGRAPHS), holds.history(TUMOUR_ON_RADIOGRAPHS)) == (None, [])
    holds.withhold_for_all(reason="drift", by=administrator)
    assert row(film).outcome == "withheld"
    holds.lift(reason="mended", by=administrator, use=second)
    assert (row(film).outcome, row(other).outcome) == ("withheld", "malignant")
    holds.lift(reason="mended", by=administrator)
    assert (row(film).outcome, row(other).outcome) == ("malignant", "malignant")


@pytest.mark.parametrize("second", SECOND, indirect=True)
def test_the_sweeper_finishes_the_hold_of_every_use(second, administrator):
    film, other = result("malignant"), answer_of(second)
    hold = holds.withhold_for_all(reason="drift", by=administrator, use=second)
    late = answer_of(second)
    assert holds.apply_all() == 1
    assert (row(film).outcome, row(late).outcome) == ("malignant", "withheld")
    type(hold).objects.update(lifted_at=timezone.now())
    assert holds.apply_all() == 2
    assert (row(other).outcome, row(late).outcome) == ("malignant", "malignant")


@pytest.mark.parametrize("second", SECOND, indirect=True)
def test_an_answer_is_stored_under_the_hold_of_its_own_use(
    second, analyse, decoder, loaded, administrator, django_capture_on_commit_callbacks
):
    put_in_force(second, KEY, administrator)
    holds.withhold_for_all(reason="drift", by=administrator, use=second)
    with django_capture_on_commit_callbacks(execute=True):
        film = analyse()
        decoder.modality = "MR" if second.modality == "MR" else ""
        other = asked_too(film, second)
    assert (row(film).outcome, other.outcome) == ("malignant", "withheld")
    assert other.computed["outcome"] == "malignant"


def test_a_case_with_two_modalities_is_summed_up_from_what_is_not_withheld(magnetic, administrator):
    study = StudyFactory()
    result("malignant", study=study)
    answer_of(magnetic, "benign", study=study)
    for use, outcome in ((TUMOUR_ON_RADIOGRAPHS, "withheld"), (magnetic, "malignant")):
        holds.withhold_for_all(reason="drift", by=administrator, use=use)
        study.refresh_from_db()
        assert (study.outcome, study.malignant_probability) == (outcome, 0.8 if outcome == "malignant" else None)
        holds.lift(reason="mended", by=administrator, use=use)
        study.refresh_from_db()
        assert (study.outcome, study.malignant_probability) == ("malignant", 0.8)


def test_the_hold_of_another_task_supersedes_reports_and_leaves_cases_alone(fracture, administrator, doctor):
    film = result("malignant")
    answer_of(fracture, image=film.image)
    report = issue_report(film.image.study, doctor)
    before = row(film).image.study
    holds.withhold_for_all(reason="drift", by=administrator, use=fracture)
    report.refresh_from_db()
    after = row(film).image.study
    assert (report.state, after.outcome, after.status) == ("superseded", "malignant", before.status)


@pytest.mark.parametrize("second", SECOND, indirect=True)
def test_a_case_is_asked_again_for_the_use_that_was_named(second):
    study = StudyFactory()
    film, other = result("malignant", study=study), answer_of(second, study=study)
    assert reanalyse_case(study.pk, use=second).queued == 1
    again = Analysis.objects.get(status="queued")
    assert (again.image, again.task) == (other.image, second.task)
    assert film.image.analyses.count() == 1


def test_commands_refuse_a_use_that_no_model_may_be_registered_for():
    with pytest.raises(CommandError, match="unknown_modality"):
        call_command("reanalyse", "--modality", "MR", str(StudyFactory().pk))
    with pytest.raises(CommandError, match="unknown_task"):
        call_command("watch_drift", "--task", "dislocation")


@pytest.mark.parametrize("second", SECOND, indirect=True)
def test_models_are_compared_on_the_images_of_their_use(second, administrator, tmp_path, monkeypatch):
    monkeypatch.setenv("BONESCAN_MODELS", str(tmp_path))
    for key in ("other-0", "other-1"):
        install_toy(tmp_path, key, modality=[second.modality], task=second.task)
    film, other = result("malignant"), answer_of(second, image__modality=second.modality)
    made = comparison.request_comparison("other-0", "other-1", films=5, by=administrator, use=second, wake=False)
    assert ((made.modality, made.task), made.result["waiting"]) == (second, [str(other.pk)])
    with pytest.raises(Exception, match="validated for this"):
        comparison.request_comparison("other-0", registry.default_model(), films=5, by=administrator, wake=False)
    assert comparison._newest_images(TUMOUR_ON_RADIOGRAPHS, 5) == [str(film.pk)]


def test_every_task_waits_in_one_queue(fracture):
    waiting = AnalysisFactory(task="fracture")
    assert queue.place_in_queue(waiting) == 1
