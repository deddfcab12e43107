"""Site acceptance in the portal: sets, runs in the worker, acceptances and what they do to answers."""

import json
from datetime import timedelta
from types import SimpleNamespace

import numpy as np
import pytest
from django.core.exceptions import PermissionDenied
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.utils import timezone

from accounts.models import AuditEvent, UnacceptedAnswers
from analyses.errors import Conflict, Invalid, ServiceError
from analyses.evidence.acceptance import running, services, sets
from analyses.models import (
    AcceptanceFilm,
    AcceptanceRun,
    Analysis,
    CaseOutcome,
    Image,
    Report,
    SiteAcceptance,
    Study,
)
from analyses.pipeline import holds, queue, site_acceptance
from analyses.pipeline import running as pipeline
from analyses.registry.uses import TUMOUR_ON_RADIOGRAPHS as USE
from analyses.tasks import run_acceptance
from analyses.tests.factories import ImageFactory, PatientFactory, StudyFactory, png_bytes, result
from analyses.tests.fakes import FakePredictor
from analyses.tests.toy_model import TOY, install_toy
from inference.acceptance.rule import MET, NOT_MET, UNDECIDED, rule_for
from inference.calibration import OperatingPoint
from inference.card import ModelIdentity
from inference.errors import DecodeError, InferenceError
from inference.prediction import Gate, Prediction

pytestmark = pytest.mark.django_db
# The usual limits; only the sensitivity's asks for more than a handful of films.
BOUNDS = {
    name: bound if name == "tumour_sensitivity" else {key: value for key, value in bound.items() if "surely" not in key}
    for name, bound in rule_for(None).as_dict()["bounds"].items()
}
RULE = rule_for(None).as_dict() | {"least_tumour_free": 6, "bounds": BOUNDS}
CUTS = {"name": "balanced", "malignant": 0.3, "tumour": 0.5, "chosen_on": "nothing"}


class Trained:
    """A model that knows each film by its grey: bright ones are malignant."""

    def __init__(self, card):
        self.card = card
        self.identity = ModelIdentity("toy", "0", card["weights"]["sha256"])
        self.calls = 0

    def point(self, name):
        return OperatingPoint(**self.card["operating_point"])

    def predict(self, canonical, *, explain, operating_point):
        self.calls += 1
        ill = canonical.mean() > 100
        chances = (
            {"normal": 0.1, "benign": 0.2, "malignant": 0.7}
            if ill
            else {"normal": 0.9, "benign": 0.08, "malignant": 0.02}
        )
        return Prediction(
            outcome="malignant" if ill else "normal",
            leaning="malignant" if ill else "normal",
            probabilities=chances,
            operating_point=CUTS,
            gate=Gate(True, 0.9, 0.5, ""),
            model=self.identity,
            preprocessing_version="1",
            canonical_sha256="",
            saliency=None,
            timings_ms={},
        )


class Decoder:
    """Takes the first byte of a file as its grey."""

    def decode(self, data):
        if data.startswith(b"broken"):
            raise DecodeError("unreadable", "no")
        if data.startswith(b"away"):
            raise InferenceError("decoder_away", "later", retriable=True)
        return SimpleNamespace(grey=np.full((64, 64), data[0], np.uint8))


@pytest.fixture
def model(tmp_path, monkeypatch):
    folder = tmp_path / "models"
    monkeypatch.setenv("BONESCAN_MODELS", str(folder))
    card = install_toy(folder, acceptance=RULE)
    trained = Trained(card)
    monkeypatch.setattr(pipeline, "_process", {"decoder": Decoder(), "predictors": {TOY: trained}})
    return trained


def table(clear=8, ill=4) -> bytes:
    rows = [f"N{n}.png;normal;{n}" for n in range(clear)] + [f"M{n}.dcm;malignant;p{n}" for n in range(ill)]
    return ("file;label;patient\n" + "\n".join(rows)).encode()


def upload(name: str, grey: int, seed: int = 0) -> ContentFile:
    return ContentFile(bytes([grey]) + f"{name} {seed}".encode(), name=name)


def films(clear=8, ill=4, missed=0) -> list[ContentFile]:
    ill_films = [upload(f"m{n}.DCM", 40 if n < missed else 200) for n in range(ill)]
    return [upload(f"N{n}.png", 40) for n in range(clear)] + ill_films


@pytest.fixture
def make(department, administrator, model, django_capture_on_commit_callbacks, monkeypatch):
    """Set a run up from files and let the worker judge it."""
    monkeypatch.setattr(queue, "send", lambda task, argument: None)

    def run(clear=8, ill=4, missed=0, extra=(), labels=None) -> AcceptanceRun:
        made = sets.set_up_from_files(department, USE, TOY, labels=labels or table(clear, ill), by=administrator)
        sets.add_films(made, [*films(clear, ill, missed), *extra], by=administrator)
        sets.start(made, by=administrator)
        running.run_slice(made.pk)
        made.refresh_from_db()
        return made

    return run


def stored() -> list[str]:
    try:
        return default_storage.listdir("acceptance")[1]
    except FileNotFoundError:
        return []


def code_of(call, *args, **kwargs) -> str:
    with pytest.raises(ServiceError) as refusal:
        call(*args, **kwargs)
    return refusal.value.code


# --- sets --------------------------------------------------------------------------------------------------------
def test_a_run_from_files_keeps_no_name_no_file_and_makes_no_case(make):
    run = make()
    assert (run.status, run.result["at_card"]["verdict"]) == ("succeeded", MET)
    assert run.result["films"]["by_label"] == {"normal": 8, "benign": 0, "malignant": 4}
    assert stored() == []
    assert not Study.objects.exists()
    assert not Image.objects.exists()
    kept = json.dumps([list(AcceptanceFilm.objects.values()), run.result], default=str)
    assert "N0" not in kept
    assert "m1" not in kept.lower()
    film = AcceptanceFilm.objects.first()
    assert (film.file, film.answer["leaning"]) == ("", "normal")
    actions = list(AuditEvent.objects.order_by("id").values_list("action", flat=True))
    assert actions == ["set_up_acceptance", "add_acceptance_films", "start_acceptance", "acceptance_result"]


def test_the_worker_says_the_same_as_the_command_would(make, model):
    from inference.acceptance.figures import acceptance_of
    from inference.acceptance.films import FilmAnswer

    run = make(missed=1)
    answers = [FilmAnswer.from_dict(film.answer) for film in run.films.all()]
    again = acceptance_of(model.card, model.point("balanced"), answers)
    assert run.result == json.loads(json.dumps(again))
    assert run.result["at_card"]["verdict"] == NOT_MET


def test_what_the_rule_cannot_judge_is_refused_at_once_with_the_count(department, administrator, model):
    for labels, code, count in (
        (table(clear=5), "too_few_films", "5 tumour-free"),
        (table(ill=0), "one_class", "0 films with a tumour"),
        (b"file;label\nx;sick", "bad_labels", "Line 2"),
    ):
        with pytest.raises(Invalid, match=count) as refusal:
            sets.set_up_from_files(department, USE, TOY, labels=labels, by=administrator)
        assert refusal.value.code == code
    assert not AcceptanceRun.objects.exists()
    assert code_of(sets.set_up_from_cases, department, USE, TOY, by=administrator) == "one_class"


def test_a_model_without_a_rule_or_for_another_use_cannot_be_tried(department, administrator, model, tmp_path):
    install_toy(tmp_path / "models", "bare-1", acceptance=None)
    install_toy(tmp_path / "models", "mr-1", modality=["MR"])
    for key, code in (("bare-1", "no_acceptance_rule"), ("mr-1", "wrong_modality"), ("none-1", "unknown_model")):
        assert code_of(sets.set_up_from_files, department, USE, key, labels=table(), by=administrator) == code


@pytest.mark.parametrize("who", ["doctor", "clerk", "auditor", "api_client"])
def test_nobody_but_an_administrator_may(request, who, department, model):
    with pytest.raises(PermissionDenied):
        sets.set_up_from_files(department, USE, TOY, labels=table(), by=request.getfixturevalue(who))


def test_files_are_stored_unless_no_row_names_them_or_they_are_empty_or_doubled(department, administrator, model):
    run = sets.set_up_from_files(department, USE, TOY, labels=table(), by=administrator)
    one = upload("N0.png", 40)
    same = ContentFile(one.read(), name="N1.png")
    one.seek(0)
    added = sets.add_films(run, [one, same, upload("other.png", 1), ContentFile(b"", name="N2.png")], by=administrator)
    assert added == sets.Added(stored=1, unknown=1, refused=1, doubled=1)
    sets.add_films(run, [upload("sub/n0.PNG", 40, seed=2)], by=administrator)
    assert len(stored()) == 1
    with pytest.raises(Conflict, match="11 of 12"):
        sets.start(run, by=administrator)


def test_a_film_larger_than_the_limit_is_refused(department, administrator, model, settings):
    settings.MAX_UPLOAD_BYTES = 4
    run = sets.set_up_from_files(department, USE, TOY, labels=table(), by=administrator)
    assert sets.add_films(run, [upload("N0.png", 40)], by=administrator).refused == 1


def test_a_cancelled_or_abandoned_run_leaves_no_film(department, administrator, model):
    runs = [sets.set_up_from_files(department, USE, TOY, labels=table(), by=administrator) for _ in range(2)]
    for seed, run in enumerate(runs):
        sets.add_films(run, [upload("N0.png", 40, seed)], by=administrator)
    sets.cancel(runs[0], by=administrator)
    sets.cancel(runs[0], by=administrator)
    assert sets.forget_abandoned() == 0
    AcceptanceRun.objects.update(created_at=timezone.now() - timedelta(days=8))
    assert (sets.forget_abandoned(), stored()) == (1, [])
    assert code_of(sets.add_films, runs[0], films(), by=administrator) == "not_collecting"
    assert code_of(sets.start, runs[1], by=administrator) == "not_collecting"
    assert AuditEvent.objects.filter(action="cancel_acceptance").count() == 1


def closed_case(department, doctor, truth: str, *, patient=None, films=1, **fields) -> Study:
    extra = {"patient": patient} if patient else {}
    study = StudyFactory(owner=department, reading_state="final", **extra, **fields)
    for _ in range(films):
        ImageFactory(study=study, stored=True, film_bytes=png_bytes())
    CaseOutcome.objects.create(
        study=study, version=1, truth=truth, method="pathology", established_on="2026-01-01", entered_by=doctor
    )
    return study


def test_cases_with_outcomes_of_the_department_make_a_set(
    department, other_department, administrator, doctor, model, make
):
    patient = PatientFactory(department=department)
    for n in range(5):
        closed_case(department, doctor, "normal", patient=patient if n < 2 else None)
    closed_case(department, doctor, "normal", films=2)
    closed_case(department, doctor, "malignant")
    closed_case(department, doctor, "malignant", modality="MR")
    closed_case(other_department, doctor, "malignant")
    run = sets.set_up_from_cases(department, USE, TOY, by=administrator)
    assert run.films.count() == 8
    assert run.films.values("patient").distinct().count() == 6
    running.run_slice(run.pk)
    run.refresh_from_db()
    assert run.status == "succeeded"
    assert run.result["films"]["patients"] == 6
    assert Image.objects.exclude(canonical_file="").count() == 10


# --- the worker --------------------------------------------------------------------------------------------------
def test_films_of_the_training_end_the_run_with_the_count(make, model, monkeypatch):
    from inference.acceptance.training_films import TrainingFilms

    monkeypatch.setattr(TrainingFilms, "hold", lambda self, canonical: bool(canonical.mean() > 100))
    run = make()
    assert (run.status, run.error_code, run.result) == ("failed", "training_films", None)
    assert "4 of 12 films" in run.error_message
    assert stored() == []


def test_unreadable_films_are_left_out_and_told(make):
    broken = ContentFile(b"broken", name="N0.png")
    run = make(extra=[broken])
    assert run.result["films"] | {"by_label": 0, "patients_by_label": 0} == {
        **{"n": 11, "patients": 11, "unreadable": 1, "by_label": 0, "patients_by_label": 0}
    }
    assert "unreadable_films" in run.result["warnings"]
    assert stored() == []


def test_too_few_readable_films_fail_the_run(make):
    broken = [ContentFile(b"broken" + bytes([n]), name=f"N{n}.png") for n in range(3)]
    run = make(extra=broken)
    assert (run.status, run.error_code) == ("failed", "too_few_films")
    assert "5 tumour-free" in run.error_message


def test_an_image_reader_that_is_away_loses_nothing_and_the_sweeper_wakes_the_run(make, monkeypatch):
    run = make(extra=[ContentFile(b"away", name="N0.png")])
    assert run.status == "running"
    assert len(stored()) == 12
    sent = []
    monkeypatch.setattr(queue, "send", lambda task, argument: sent.append((task, argument)))
    assert running.wake_forgotten() == 0
    AcceptanceRun.objects.update(woken_at=timezone.now() - timedelta(minutes=2))
    assert (running.wake_forgotten(), sent) == (1, [(sets.TASK, str(run.pk))])


def test_a_film_that_ends_its_worker_each_time_is_left_out(make, model):
    run = make(extra=[ContentFile(b"away", name="N0.png")])
    for _ in range(running.MOST_ATTEMPTS):
        running.run_slice(run.pk)
    run.refresh_from_db()
    assert (run.status, run.result["films"]["unreadable"]) == ("succeeded", 1)


def test_a_slice_ends_in_time_and_the_next_goes_on(department, administrator, model, monkeypatch):
    sent = []
    monkeypatch.setattr(queue, "send", lambda task, argument: sent.append(argument))
    run = sets.set_up_from_files(department, USE, TOY, labels=table(), by=administrator)
    sets.add_films(run, films(), by=administrator)
    sets.start(run, by=administrator)
    assert running.run_slice(run.pk, seconds=0)
    assert model.calls == 0
    run_acceptance(str(run.pk))
    run.refresh_from_db()
    assert (run.status, model.calls) == ("succeeded", 12)
    assert not running.run_slice(run.pk)
    assert model.calls == 12


def test_a_run_that_is_cancelled_while_it_runs_stops(department, administrator, model, monkeypatch):
    monkeypatch.setattr(queue, "send", lambda task, argument: None)
    run = sets.set_up_from_files(department, USE, TOY, labels=table(), by=administrator)
    sets.add_films(run, films(), by=administrator)
    assert not running.run_slice(run.pk)
    sets.start(run, by=administrator)
    judge, ended = running._judge, []

    def cancel_after_the_first(*args):
        judge(*args)
        ended or ended.append(sets.cancel(run, by=administrator))

    monkeypatch.setattr(running, "_judge", cancel_after_the_first)
    running.run_slice(run.pk)
    run.refresh_from_db()
    assert (run.status, model.calls, run.result, stored()) == ("cancelled", 1, None, [])


def test_other_weights_than_those_of_the_run_are_refused(make, model):
    model.identity = ModelIdentity("toy", "0", "0" * 64)
    assert make().error_code == "weights_changed"


def test_a_technical_fault_ends_the_run_with_a_sentence(make, model):
    model.predict = lambda *args, **kwargs: 1 / 0
    run = make()
    assert (run.status, run.error_code) == ("failed", "internal_error")


# --- accepting ---------------------------------------------------------------------------------------------------
def accept(run, administrator, cut_offs="card") -> SiteAcceptance:
    return services.accept_model(run, cut_offs=cut_offs, reason="tried in May", by=administrator)


def answered(department, model, outcome="malignant", **fields) -> Analysis:
    weights = {"model_sha256": model.identity.sha256, "operating_point": CUTS, "site_acceptance": "not_accepted"}
    return result(outcome, study=StudyFactory(owner=department), **weights | fields)


def test_an_acceptance_binds_weights_cut_offs_and_department_and_reaches_unsigned_answers(
    make, administrator, department, other_department, model
):
    open_one, signed = answered(department, model), answered(department, model)
    Study.objects.filter(pk=signed.image.study_id).update(reading_state="final")
    others = [
        answered(department, model, operating_point=CUTS | {"tumour": 0.4}),
        answered(department, model, model_sha256="0" * 64),
        answered(other_department, model),
        signed,
    ]
    Report.objects.create(
        study=open_one.image.study, revision=0, kind="preliminary", pdf_file="x", pdf_sha256="a" * 64,
        pdf_size_bytes=1, verification_code="A",
    )  # fmt: skip
    row = accept(make(), administrator)
    assert (row.model_sha256, row.operating_point, row.cut_offs["tumour"]) == (model.identity.sha256, "balanced", 0.5)

    def says(analysis) -> str:
        analysis.refresh_from_db()
        return analysis.site_acceptance

    assert says(open_one) == "accepted"
    assert [says(one) for one in others] == ["not_accepted"] * 4
    assert Report.objects.get().state == "superseded"
    services.withdraw_acceptance(row, reason="new detector", by=administrator)
    assert says(open_one) == "not_accepted"
    events = AuditEvent.objects.filter(action__in=("accept_model", "withdraw_acceptance")).order_by("id")
    assert [event.detail["reason"] for event in events] == ["tried in May", "new detector"]
    assert events[0].detail["sha256"] == model.identity.sha256


def test_what_does_not_meet_the_rule_cannot_be_accepted(make, administrator):
    assert code_of(accept, make(missed=2), administrator) == "rule_not_met"
    few = make(ill=1)
    assert few.result["at_card"]["verdict"] == UNDECIDED
    assert code_of(accept, few, administrator) == "rule_undecided"
    run = make()
    assert code_of(accept, run, administrator, "mine") == "unknown_cut_offs"
    assert code_of(services.accept_model, run, cut_offs="card", reason=" ", by=administrator) == "bad_field"
    AcceptanceRun.objects.filter(pk=run.pk).update(status="running")
    run.refresh_from_db()
    assert code_of(accept, run, administrator) == "not_finished"


def test_accepting_and_taking_back_twice_is_refused(make, administrator):
    run = make()
    row = accept(run, administrator)
    assert code_of(accept, run, administrator) == "already_accepted"
    services.withdraw_acceptance(row, reason="x", by=administrator)
    assert code_of(services.withdraw_acceptance, row, reason="x", by=administrator) == "already_withdrawn"
    accept(run, administrator)
    with pytest.raises(TypeError):
        row.delete()


@pytest.mark.parametrize("who", ["doctor", "clerk", "auditor", "api_client"])
def test_nobody_but_an_administrator_accepts_or_takes_back(request, who, make, administrator):
    run = make()
    row, user = accept(run, administrator), request.getfixturevalue(who)
    with pytest.raises(PermissionDenied):
        accept(run, user)
    with pytest.raises(PermissionDenied):
        services.withdraw_acceptance(row, reason="x", by=user)


# --- new answers -------------------------------------------------------------------------------------------------
def force(department, administrator, **fields) -> SiteAcceptance:
    """An acceptance of the fake model that answers in these tests."""
    run = AcceptanceRun.objects.create(
        department=department, modality="DX", model_key="m-1", model_sha256="f" * 64, operating_point="balanced",
        films_from="files", requested_by=administrator,
    )  # fmt: skip
    known = {"modality": "DX", "model_key": "m-1", "model_sha256": "f" * 64, "operating_point": "balanced"}
    cuts = {"cut_offs": CUTS, "run": run, "accepted_by": administrator, "reason": "x"}
    return SiteAcceptance.objects.create(department=department, **known | cuts | fields)


def test_a_new_answer_says_whether_the_department_accepts_the_model(analyse, department, administrator):
    assert analyse().site_acceptance == "not_accepted"
    row = force(department, administrator)
    assert analyse().site_acceptance == "accepted"
    SiteAcceptance.objects.filter(pk=row.pk).update(operating_point="rule_out")
    assert analyse().site_acceptance == "not_accepted"


def test_local_cut_offs_are_what_new_answers_are_made_at(analyse, department, administrator):
    force(department, administrator, cut_offs=CUTS | {"name": "local", "tumour": 0.61})
    new = analyse()
    assert (new.operating_point["tumour"], new.operating_point["name"]) == (0.61, "local")
    assert new.site_acceptance == "accepted"


def test_a_card_whose_cut_offs_were_changed_is_not_accepted(analyse, department, administrator, monkeypatch):
    force(department, administrator)
    changed = {"operating_points": {"balanced": {"name": "balanced", "malignant": 0.2, "tumour": 0.5}}}
    monkeypatch.setattr(FakePredictor, "card", changed)
    assert analyse().site_acceptance == "not_accepted"


def withhold(department) -> None:
    department.unaccepted_answers = UnacceptedAnswers.WITHHELD
    department.save()


def test_a_department_may_keep_back_what_it_has_not_accepted_and_gets_it_once_it_has(
    analyse, department, administrator
):
    withhold(department)
    new = analyse()
    assert (new.outcome, new.reason_code, new.probabilities) == ("withheld", "not_accepted_at_site", None)
    assert new.computed["outcome"] == "malignant"
    assert new.image.study.outcome == "withheld"
    force(department, administrator)
    assert site_acceptance.apply_to_unsigned(department.pk, USE) == 1
    new.refresh_from_db()
    assert (new.outcome, new.computed, new.site_acceptance) == ("malignant", None, "accepted")
    new.image.study.refresh_from_db()
    assert new.image.study.outcome == "malignant"


def test_the_choice_of_a_department_reaches_unsigned_cases_with_the_sweeper(department, other_department, model):
    mine, theirs = answered(department, model), answered(other_department, model)
    accepted = answered(department, model, site_acceptance="accepted")
    withhold(department)
    assert holds.apply_all() == 1
    for one in (mine, theirs, accepted):
        one.refresh_from_db()
    assert [one.outcome for one in (mine, theirs, accepted)] == ["withheld", "malignant", "malignant"]
    department.unaccepted_answers = UnacceptedAnswers.SHOWN
    department.save()
    assert (holds.apply_all(), holds.apply_all()) == (1, 0)
    mine.refresh_from_db()
    assert mine.outcome == "malignant"


def test_a_hold_comes_before_the_departments_choice_and_leaves_it_when_lifted(department, administrator, model):
    withhold(department)
    mine = answered(department, model)
    holds.apply_all()
    holds.withhold_for_all(reason="x", by=administrator)
    mine.refresh_from_db()
    assert (mine.reason_code, mine.withheld_reasons) == ("withheld_for_all", ["withheld_for_all"])
    holds.lift(reason="x", by=administrator)
    mine.refresh_from_db()
    assert (mine.outcome, mine.reason_code) == ("withheld", "not_accepted_at_site")
    assert mine.computed["outcome"] == "malignant"


def test_a_case_of_which_one_film_is_kept_back_shows_the_other(department, model):
    withhold(department)
    study = StudyFactory(owner=department)
    known = {"study": study, "model_sha256": model.identity.sha256, "operating_point": CUTS}
    result("benign", site_acceptance="not_accepted", **known)
    result("malignant", site_acceptance="accepted", **known)
    holds.apply_all()
    study.refresh_from_db()
    assert (study.outcome, study.malignant_probability) == ("malignant", 0.8)


def test_an_answer_that_was_being_stored_while_the_department_accepted_is_settled(department, administrator, model):
    row = answered(department, model, model_sha256="f" * 64)
    force(department, administrator)
    site_acceptance.settle_late_answer(row.pk, USE)
    row.refresh_from_db()
    assert row.site_acceptance == "accepted"
    SiteAcceptance.objects.update(withdrawn_at=timezone.now(), withdrawn_by=administrator)
    assert (site_acceptance.apply_all(), site_acceptance.apply_all()) == (1, 0)
