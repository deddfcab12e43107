"""Drift monitoring: which films make a window, what they are compared with, alarms, mail and answers."""

import uuid
from datetime import timedelta

import numpy as np
import pytest
from django.core.exceptions import PermissionDenied
from django.core.management import call_command
from django.utils import timezone

from accounts.models import AuditEvent
from accounts.tests.factories import UserFactory
from analyses.errors import Conflict, Invalid
from analyses.evidence.drift import services as drift
from analyses.models import Analysis, DriftAlarm, DriftCheck, Patient, Review, UnaidedReading
from analyses.registry import services as registry
from analyses.tests.monitored_films import KEY, START, signed_cases
from analyses.tests.uses import SECOND, put_in_force
from inference.card import load_card
from inference.shift.sample import ReferenceSample

pytestmark = pytest.mark.django_db


def entry(check: DriftCheck, name: str) -> dict:
    return next(figure for figure in check.figures if figure["name"] == name)


def test_a_window_is_compared_once_it_is_complete_and_not_before(films):
    films.add(99)
    assert drift.check_windows(KEY) == 0
    films.add(1)
    assert (drift.check_windows(KEY), drift.check_windows(KEY)) == (1, 0)
    films.add(230)
    assert drift.check_windows(KEY) == 2
    assert list(DriftCheck.objects.order_by("number").values_list("number", flat=True)) == [1, 2, 3]


def test_further_films_of_a_patient_make_no_window_and_enter_none(films):
    films.add(60)
    films.add(90, patient=films.base.patient, grey=60.0)
    assert drift.check_windows(KEY) == 0
    assert drift.state(KEY)[0]["waiting"] == 61
    films.add(39)
    assert drift.check_windows(KEY) == 1
    check = DriftCheck.objects.get()
    assert entry(check, "grey mean")["n"] == 100
    assert not DriftAlarm.objects.exists()
    films.add(1, patient=films.base.patient)
    assert drift.state(KEY)[0]["waiting"] == 1


def test_the_local_reference_is_of_patients_before_the_window(films):
    for _ in range(3):
        films.add(99)
        films.add(20, patient=films.base.patient)
    drift.check_windows(KEY)
    third = DriftCheck.objects.get(number=3)
    # The patient who comes in every window counts once.
    assert entry(third, "body part")["reference_n"] == 199


def with_features(films, n, rng, to=0.0, features=16):
    rows = films.add(n, probabilities={"normal": 0.6, "benign": 0.3, "malignant": 0.1})
    for row in rows:
        normal = float(rng.uniform(0.2, 0.9))
        row.probabilities = {"normal": normal, "benign": 0.9 - normal, "malignant": 0.1}
        row.input_stats["features"] = [float(value) for value in rng.normal(to, 1, features)]
    Analysis.objects.bulk_update(rows, ["input_stats", "probabilities"])


JOINT = "features and probabilities together"


@pytest.mark.parametrize("to", [0.0, 0.6])
def test_features_and_probabilities_are_compared_together(films, to):
    rng = np.random.default_rng(4)
    with_features(films, 200, rng)
    with_features(films, 100, rng, to)
    drift.check_windows(KEY)
    first, third = DriftCheck.objects.get(number=1), DriftCheck.objects.get(number=3)
    assert (entry(first, JOINT)["source"], entry(first, JOINT)["p"]) == ("local", None)
    assert entry(third, JOINT)["alarm"] == bool(to), entry(third, JOINT)
    assert entry(third, JOINT)["reference_n"] == 200
    assert set(DriftAlarm.objects.values_list("figure", flat=True)) == ({JOINT} if to else set())


def test_a_card_with_a_sample_of_films_is_the_joint_reference_from_the_first_window(films, monkeypatch):
    rng = np.random.default_rng(5)
    outputs = np.stack([rng.uniform(0.2, 0.9, 300), np.full(300, 0.1)], axis=1)
    sample = ReferenceSample(np.zeros(300, dtype=int), outputs, rng.normal(size=(300, 16)))
    card = load_card(registry.folder_of(KEY))
    stated = card["reference"] | {"films": sample.as_dict()}
    monkeypatch.setattr(drift, "_card_reference", lambda key: stated)
    with_features(films, 100, rng)
    films.add(100)
    drift.check_windows(KEY)
    first, second = DriftCheck.objects.order_by("number")
    assert (entry(first, JOINT)["source"], entry(first, JOINT)["alarm"], entry(first, JOINT)["n"]) == (
        "card",
        False,
        100,
    )
    # Answers from before features were kept have nothing to compare.
    assert (entry(second, JOINT)["n"], entry(second, JOINT)["p"]) == (0, None)


def test_the_card_is_the_reference_where_it_has_one_and_the_first_200_films_otherwise(films):
    films.add(300)
    drift.check_windows(KEY)
    first, third = DriftCheck.objects.get(number=1), DriftCheck.objects.get(number=3)
    for name in ("grey mean", "grey spread", "distance from the training films", "probability of malignancy"):
        assert (entry(first, name)["source"], entry(first, name)["p"] is not None) == ("card", True)
    shares = load_card(registry.folder_of(KEY))["reference"]["shares"]["values"]
    assert entry(first, "withheld")["reference"] == pytest.approx([shares["withheld"], 1 - shares["withheld"]])
    leaning = [shares[f"leaning {name}"] for name in ("normal", "benign", "malignant")]
    assert entry(first, "answers by the cut-offs")["reference"] == pytest.approx(leaning, abs=1e-4)
    for name in ("body part", "modality", "film size, megapixels", "refused by the gate"):
        assert (entry(first, name)["source"], entry(first, name)["p"]) == ("local", None)
        assert (entry(third, name)["reference_n"], entry(third, name)["p"] is not None) == (200, True)


def test_films_as_the_reference_raise_no_alarm(films, mailoutbox):
    films.add(300)
    drift.check_windows(KEY)
    assert not DriftAlarm.objects.exists()
    assert mailoutbox == []


@pytest.mark.parametrize(
    ("change", "figure"),
    [
        ({"grey": 30.0}, "grey mean"),
        ({"withheld": 0.75}, "withheld"),
        ({"part": "SKULL"}, "body part"),
        ({"size": 0.3}, "film size, megapixels"),
    ],
)
def test_a_change_raises_the_alarm_of_its_figure_only(films, change, figure):
    films.add(200)
    drift.check_windows(KEY)
    assert not DriftAlarm.objects.exists()
    films.add(100, **change)
    drift.check_windows(KEY)
    assert list(DriftAlarm.objects.values_list("figure", flat=True)) == [figure]


def test_administrators_are_mailed_without_a_word_about_a_patient(
    films, administrator, mailoutbox, django_capture_on_commit_callbacks
):
    UserFactory(roles=["administrator"], department=None, is_active=False)
    films.add(100, grey=40.0)
    with django_capture_on_commit_callbacks(execute=True):
        drift.check_windows(KEY)
    assert [mail.to for mail in mailoutbox] == [[administrator.email]]
    assert "grey mean" in mailoutbox[0].body
    patient = Patient.objects.get(pk=films.base.patient_id)
    for word in (patient.patient_id, patient.patient_name, str(films.base.pk), films.base.accession_number):
        assert word not in mailoutbox[0].body + mailoutbox[0].subject
    event = AuditEvent.objects.get(action="drift_check")
    use = {"modality": "DX", "task": "tumour"}
    assert event.detail == {"series": "films", "model": KEY, "window": 1, "alarms": ["grey mean"], **use}


def test_a_mail_server_that_is_away_costs_nothing_but_the_mail(
    films, administrator, monkeypatch, django_capture_on_commit_callbacks
):
    def away(*args, **kwargs):
        raise ConnectionRefusedError

    monkeypatch.setattr(drift, "send_mail", away)
    films.add(100, grey=40.0)
    with django_capture_on_commit_callbacks(execute=True):
        assert drift.check_windows(KEY) == 1
    assert DriftAlarm.objects.count() == 1


def test_films_of_another_model_and_films_that_just_ended_are_left_out(films):
    films.add(100, key="other-1.0")
    late = films.add(100)
    Analysis.objects.filter(pk__in=[row.pk for row in late]).update(finished_at=timezone.now())
    assert drift.check_windows(KEY) == 0


def test_two_sweepers_make_one_check(films, monkeypatch):
    films.add(100)
    assert drift.check_windows(KEY) == 1
    first = DriftCheck.objects.get()
    copy = DriftCheck(
        series="films", model_key=KEY, number=1, from_at=START, to_at=START, last_id=uuid.uuid4(), figures=[]
    )
    assert not drift._store(copy)
    assert DriftCheck.objects.get() == first


def test_a_hold_changes_nothing_of_what_is_monitored(films, administrator):
    from analyses.pipeline import holds

    films.add(100)
    holds.withhold_for_all(reason="x", by=administrator)
    assert Analysis.objects.filter(computed__isnull=False).count() == 100
    drift.check_windows(KEY)
    check = DriftCheck.objects.get()
    assert not [figure for figure in check.figures if figure["alarm"]]
    assert entry(check, "probability of malignancy")["n"] == 100


def test_the_share_of_overruled_answers_is_monitored_over_signed_readings(films, doctor):
    for place, study in enumerate(signed_cases(doctor, 300)):
        agrees = place % 10 != 0 if place < 200 else place % 2 == 0
        at = START + timedelta(seconds=place)
        Review.objects.create(study=study, reader=doctor, reading="benign", agrees_with_model=agrees, signed_at=at)
    assert drift.check_windows(KEY) == 3
    third = DriftCheck.objects.get(series="readings", number=3)
    found = entry(third, "overruled")
    assert (found["alarm"], found["source"], found["n"]) == (True, "local", 100)


def test_readings_of_a_trial_are_not_monitored(doctor):
    studies = signed_cases(doctor, 100)
    for study in studies:
        Review.objects.create(study=study, reader=doctor, reading="benign", agrees_with_model=True, signed_at=START)
    UnaidedReading.objects.create(study=studies[0], reader=doctor, mode="trial", arm="shown", opened_at=START)
    UnaidedReading.objects.create(study=studies[1], reader=doctor, mode="own_first", opened_at=START)
    assert drift.check_windows(KEY) == 0
    (extra,) = signed_cases(doctor, 1)
    Review.objects.create(study=extra, reader=doctor, reading="benign", agrees_with_model=True, signed_at=START)
    assert drift.check_windows(KEY) == 1


def alarm_of(films) -> DriftAlarm:
    films.add(100, grey=40.0)
    drift.check_windows(KEY)
    return DriftAlarm.objects.get()


def test_an_alarm_is_answered_once_with_what_was_found(films, administrator, doctor):
    alarm = alarm_of(films)
    with pytest.raises(PermissionDenied):
        drift.acknowledge(alarm, reason="x", user=doctor)
    with pytest.raises(Invalid):
        drift.acknowledge(alarm, reason=" ", user=administrator)
    drift.acknowledge(alarm, reason="new detector in room 2", user=administrator)
    with pytest.raises(Conflict):
        drift.acknowledge(alarm, reason="again", user=administrator)
    event = AuditEvent.objects.get(action="acknowledge_alarm")
    assert event.detail == {"figure": "grey mean", "reason": "new detector in room 2", "accepted": False}


def test_what_was_accepted_as_how_the_site_is_alarms_only_when_it_changes_again(films, administrator):
    drift.acknowledge(alarm_of(films), reason="our detector", user=administrator, accepted=True)
    films.add(100, grey=40.0)
    drift.check_windows(KEY)
    second = entry(DriftCheck.objects.get(number=2), "grey mean")
    assert (second["source"], second["reference_n"], second["alarm"]) == ("accepted", 100, False)
    films.add(100)
    drift.check_windows(KEY)
    assert entry(DriftCheck.objects.get(number=3), "grey mean")["alarm"]


# --- the page and the commands -----------------------------------------------------------------------------------
@pytest.fixture
def web(client, administrator):
    client.force_login(administrator)
    return client


def test_the_empty_page_says_what_will_be_compared(web):
    text = web.get("/admin/drift/").content.decode()
    assert "No window is complete yet" in text
    assert "no open alarm" in text
    assert "probability of 1 %" in text


def test_the_page_shows_figures_alarms_and_answers(web, films):
    films.add(200)
    alarm = alarm_of(films)
    text = web.get("/admin/drift/").content.decode()
    for words in (
        "Alarm: grey mean",
        "differs from reference",
        "consistent with reference",
        "PSI in 3 windows, 1 with an alarm",
    ):
        assert words in text
    url = f"/admin/drift/alarms/{alarm.pk}/answer/"
    assert web.post(url, {"reason": ""}).status_code == 400
    text = web.post(url, {"reason": "new detector", "accepted": "on"}, follow=True).content.decode()
    assert "new detector · accepted as typical of this site" in text
    assert "Alarm: grey mean" not in text
    again = web.post(url, {"reason": "again"})
    assert (again.status_code, "alarm has already been answered" in again.content.decode()) == (409, True)


def test_the_page_asks_the_same_number_of_questions_however_many_windows(web, films, django_assert_max_num_queries):
    films.add(300)
    drift.check_windows(registry.active_model())
    with django_assert_max_num_queries(25):
        web.get("/admin/drift/")


def test_the_command_and_the_sweeper_compare(films, capsys, monkeypatch):
    from analyses.management.commands import sweep

    films.add(100, grey=40.0)
    call_command("watch_drift")
    out = capsys.readouterr().out
    assert f"1 windows compared for {KEY}" in out
    assert "grey mean: adjusted p" in out
    assert "ALARM" in out
    films.add(100)

    class Once:
        waits = 0

        def is_set(self):
            return self.waits > 0

        def wait(self, _):
            self.waits += 1

    monkeypatch.setattr(sweep, "connection", sweep.connection)
    sweep.sweep_until(Once())
    assert DriftCheck.objects.count() == 2


@pytest.mark.parametrize("second", SECOND, indirect=True)
def test_windows_of_two_uses_are_counted_and_compared_apart(films, second):
    films.add(99)
    films.add(99, modality=second.modality, task=second.task, grey=40.0)
    assert (drift.check_windows(KEY), drift.check_windows(KEY, second)) == (0, 0)
    films.add(1)
    assert (drift.check_windows(KEY), drift.check_windows(KEY, second)) == (1, 0)
    films.add(1, modality=second.modality, task=second.task, grey=40.0)
    assert (drift.check_windows(KEY), drift.check_windows(KEY, second)) == (0, 1)
    alarm = DriftAlarm.objects.get()
    assert (alarm.check_row.modality, alarm.check_row.task, alarm.check_row.number) == (*second, 1)
    assert [len(entry["checks"]) for entry in drift.state(KEY, second)] == [1, 0]


@pytest.mark.parametrize("second", SECOND, indirect=True)
def test_what_one_use_accepted_is_no_reference_for_another(films, administrator, second):
    mine = {"modality": second.modality, "task": second.task}
    films.add(100, grey=40.0, **mine)
    drift.check_windows(KEY, second)
    drift.acknowledge(DriftAlarm.objects.get(), reason="this scanner", accepted=True, user=administrator)
    films.add(100, grey=40.0)
    drift.check_windows(KEY)
    assert DriftAlarm.objects.filter(acknowledged_at=None).get().check_row.task == "tumour"
    assert entry(DriftCheck.objects.get(modality="DX", task="tumour"), "grey mean")["source"] == "card"


def test_readings_of_the_tumour_overrule_no_answer_to_another_task(doctor, fracture):
    for study in signed_cases(doctor, 100):
        Review.objects.create(study=study, reader=doctor, reading="benign", agrees_with_model=True, signed_at=START)
    Analysis.objects.update(task="fracture")
    assert (drift.check_windows(KEY), drift.check_windows(KEY, fracture)) == (0, 0)
    Analysis.objects.update(task="tumour")
    assert (drift.check_windows(KEY), drift.check_windows(KEY, fracture)) == (1, 0)


def test_readings_of_another_modality_are_not_counted(doctor, magnetic):
    for study in signed_cases(doctor, 100):
        Review.objects.create(study=study, reader=doctor, reading="benign", agrees_with_model=True, signed_at=START)
    Analysis.objects.update(modality="MR")
    assert (drift.check_windows(KEY), drift.check_windows(KEY, magnetic)) == (0, 1)


@pytest.mark.parametrize("second", SECOND, indirect=True)
def test_the_page_of_one_use_shows_its_windows_and_alarms_only(web, films, administrator, second):
    put_in_force(second, KEY, administrator)
    films.add(100, grey=40.0, modality=second.modality, task=second.task)
    assert drift.check_all_uses() == 1
    mine = web.get("/admin/drift/", second._asdict())
    assert (len(mine.context["open"]), "Alarm: grey mean" in mine.content.decode()) == (1, True)
    others = web.get("/admin/drift/")
    assert others.context["open"] == []
    assert "No window is complete yet" in others.content.decode()
    assert [tab["use"].label for tab in others.context["use_tabs"] if not tab["current"]] == [second.label]
    url = f"/admin/drift/alarms/{DriftAlarm.objects.get().pk}/answer/"
    answered = web.post(url, {"reason": ""})
    assert (answered.status_code, answered.context["use"]) == (400, second)
    answered = web.post(url, {"reason": "new scanner"}, follow=True)
    assert answered.context["use"] == second
