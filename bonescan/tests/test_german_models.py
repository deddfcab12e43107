"""German on the pages of models and of drift, and in the mails of drift and of cases."""

import re

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import translation

from accounts.models import Language
from accounts.tests.factories import UserFactory
from analyses import stored_words
from analyses.answers import wording
from analyses.answers.tags import figure
from analyses.evidence.drift import services as drift
from analyses.model_pages.tests.test_model_page import joint_card
from analyses.model_pages.tests.test_views_registry import stored_film
from analyses.models import DriftAlarm
from analyses.notifications import services as notifications
from analyses.pipeline import comparison, running, sweeper
from analyses.registry import services as registry
from analyses.tests.factories import StudyFactory, result
from analyses.tests.monitored_films import KEY
from analyses.tests.toy_model import TOY, install_toy
from analyses.worklist import assignment
from inference import card as cards
from inference.errors import InferenceError, WeightsError
from inference.imaging.limits import DECODE_CODES

pytestmark = pytest.mark.django_db
# Attributes of drawings and of inputs: a decimal comma would break them.
COMMA = re.compile(r'\b(?:x|y|x1|y1|x2|y2|cx|cy|r|width|height|max|value)="[^"]*\d,\d[^"]*"')


def speaking(user, language: str = Language.GERMAN) -> Client:
    user.language = language
    user.save()
    client = Client()
    client.force_login(user)
    return client


def text(answer, status: int = 200) -> str:
    assert answer.status_code == status
    shown = answer.content.decode()
    assert '<html lang="de"' in shown
    assert not COMMA.search(shown)
    return shown


def all_in(shown: str, *words: str) -> None:
    assert [word for word in words if word not in shown] == []


def none_in(shown: str, *words: str) -> None:
    assert [word for word in words if word in shown] == []


@pytest.fixture
def toy(tmp_path, monkeypatch):
    monkeypatch.setenv("BONESCAN_MODELS", str(tmp_path / "models"))
    return install_toy(tmp_path / "models", **joint_card())


def test_the_model_page_is_german_and_marks_what_the_card_says_in_english(doctor, toy):
    web = speaking(doctor)
    shown = text(web.get(reverse("analyses:model_version", args=[TOY])))
    all_in(
        shown,
        "Konfusionsmatrix",
        "Kalibrierung",
        "Referenzverteilungen",
        "Makro-AUROC",
        "0,941",
        "551 Aufnahmen, 45 Gruppen",
    )
    all_in(shown, "Osteosarkom", "Ausgelieferte Gewichte", "Nach Zentrum", "0,25</text>", "maligne ab 0,211")
    none_in(shown, "Reference distributions", "Confusion matrix", "Shipped weights", "not active", "malignant from")
    assert '<dd lang="en">It is odd.</dd>' in shown
    assert '<ul lang="en"><li>Small lesions are lost.</li></ul>' in shown


@pytest.mark.parametrize("key", sorted(cards.installed()))
def test_every_version_that_is_shipped_has_its_german_page(doctor, key):
    shown = text(speaking(doctor).get(reverse("analyses:model_version", args=[key])))
    all_in(shown, "Bestimmungszweck", "Sensitivität für Malignität", "Wie Antworten entstehen")
    none_in(shown, "How answers are produced", "Cancers called normal", "Balanced accuracy", "Intended use")


def test_a_model_that_cannot_be_used_says_why_in_german(administrator, toy):
    (cards.installed()[TOY] / "card.json").write_text("{")
    web = speaking(administrator)
    assert "Die Modellkarte ist nicht lesbar" in text(web.get(reverse("analyses:model_version", args=[TOY])), 503)
    assert "Die Modellkarte ist nicht lesbar" in text(web.get(reverse("analyses:registry")))
    absent = text(web.get(reverse("analyses:model_version", args=["toy-9"])), 404)
    all_in(absent, "toy-9 ist hier nicht installiert", "Ihre Antworten behalten Wortlaut")


def test_the_models_page_is_german_with_hold_forms_and_refusals(administrator, department, toy):
    department.operating_point = "no_such_point"
    department.save()
    web = speaking(administrator)
    shown = text(web.get(reverse("analyses:registry")))
    all_in(shown, "Röntgenaufnahmen (CR, DX)", "Für alle zurückgehalten", "Aktivieren", "Standard der Ausgabe")
    all_in(
        shown,
        f"für {department} den ausgewogenen Arbeitspunkt",
        "Ausschluss 0,",
        "Modell für alle zurückhalten",
    )
    none_in(shown, "Installed", "Roll back", "Compare", "History", "Withheld for all users", "What went wrong")
    refused = web.post(reverse("analyses:model_activate"), {"model": registry.default_model(), "reason": "x"})
    assert "ist bereits aktiv" in text(refused, 409)
    refused = web.post(reverse("analyses:model_compare"), {"model_a": TOY, "model_b": TOY, "films": "5"})
    assert "Wählen Sie zwei verschiedene Modelle." in text(refused, 400)
    done = web.post(reverse("analyses:model_activate"), {"model": TOY, "reason": "besser"}, follow=True)
    all_in(text(done), f"{TOY} ist jetzt aktiv.", f"Zurück zu {registry.default_model()}", "zuvor: ")
    held = text(web.post(reverse("analyses:hold_set"), {"reason": "Drift"}, follow=True))
    all_in(held, "für alle zurückgehalten.", "zurückgehalten seit ")
    assert "bereits für alle zurückgehalten" in text(web.post(reverse("analyses:hold_set"), {"reason": "x"}), 409)
    lifted = text(web.post(reverse("analyses:hold_lift"), {"reason": "repariert"}, follow=True))
    all_in(lifted, "Das Modell antwortet wieder.", "bisher 1", f"aufgehoben von {administrator}")


def test_a_comparison_is_german_while_it_runs_and_when_it_is_over(administrator, toy):
    stored_film(0)
    made = comparison.request_comparison(TOY, registry.default_model(), films=1, by=administrator, wake=False)
    web, url = speaking(administrator), reverse("analyses:model_comparison", args=[made.pk])
    all_in(text(web.get(url)), "0 von 1 Aufnahme", "Wartet", "Aktualisieren", "Angefordert: ")
    result_of = comparison.summary(
        [{"analysis": "1", "a": "benign", "b": "malignant", "a_malignant": 0.1, "b_malignant": 0.7}]
    )
    type(made).objects.update(status="succeeded", result={"rows": [], "waiting": [], **result_of})
    shown = text(web.get(url))
    all_in(shown, "1 Aufnahme, 0 mit gleichem Ergebnis", "0,600", "Aufnahmen mit verschiedenem Ergebnis", "P(maligne)")
    none_in(shown, "Outcomes", "Films with different outcomes", "Median difference")
    fault = "The model's weights file is missing: install it next to its card."
    type(made).objects.update(status="failed", error_message=fault)
    assert "Die Gewichtsdatei des Modells fehlt" in text(web.get(url))


def test_the_drift_page_is_german_with_alarms_and_answers(administrator, films):
    web = speaking(administrator)
    all_in(
        text(web.get("/admin/drift/")),
        "kein offener Alarm",
        "Jedes Fenster von 100 Patienten",
        "von 1 % einen Fehlalarm",
    )
    films.add(100, grey=40.0)
    drift.check_windows(KEY)
    alarm = DriftAlarm.objects.get()
    shown = text(web.get("/admin/drift/"))
    all_in(
        shown,
        "1 offener Alarm",
        "Alarm: mittlerer Grauwert",
        "weicht von der Referenz ab",
        "entspricht der Referenz",
    )
    all_in(shown, "PSI in 1 Zeitfenster, 1 mit Alarm", "Zeitfenster 1 (Aufnahmen)", "Modellkarte")
    assert re.search(r"(?:über|bis) \d+,\d+<", shown)
    none_in(shown, "grey mean", "Grey mean", "overruled", "differs from reference", "Largest change", "films", "inputs")
    answer = {"reason": "neuer Detektor", "accepted": "on"}
    shown = text(web.post(reverse("analyses:alarm_acknowledge", args=[alarm.pk]), answer, follow=True))
    all_in(shown, "Alarm quittiert.", "als typisch für diesen Standort angenommen", "Mittlerer Grauwert, Zeitfenster 1")
    assert DriftAlarm.objects.get().figure == "grey mean"


def test_mails_of_drift_speak_to_each_administrator_in_their_language(
    administrator,
    films,
    django_capture_on_commit_callbacks,
):
    german = UserFactory(roles=["administrator"], department=None, language=Language.GERMAN)
    films.add(100, grey=40.0)
    with django_capture_on_commit_callbacks(execute=True):
        drift.check_windows(KEY)
    letters = {letter.to[0]: letter for letter in mail.outbox}
    assert set(letters) == {german.email, administrator.email}
    assert letters[german.email].subject == "BoneScan: Drift-Alarm"
    all_in(
        letters[german.email].body,
        "Von der Referenz abgewichen: mittlerer Grauwert",
        "Zeitfenster 1 (Aufnahmen)",
        "0,01",
    )
    all_in(letters[administrator.email].body, "Outside their reference: grey mean", "Window 1 of films", "of 0.01.")


def test_mails_of_cases_speak_the_language_of_their_reader(doctor, department, django_capture_on_commit_callbacks):
    colleague = UserFactory(roles=["doctor"], department=department, language=Language.GERMAN)
    study = StudyFactory(owner=department)
    result("benign", study=study)
    with django_capture_on_commit_callbacks(execute=True):
        notifications.notify("assigned", study, [colleague], by=doctor)
    (letter,) = mail.outbox
    assert letter.subject == "BoneScan: Ein Fall wartet"
    all_in(letter.body, "wartet ein Fall auf Sie", f"/cases/{study.pk}/", "Konto, Mitteilungen")
    colleague.language = ""
    colleague.save()
    department.language = Language.GERMAN
    department.save()
    with django_capture_on_commit_callbacks(execute=True):
        assignment.assign(study, doctor, colleague)
    assert len(mail.outbox) == 2
    assert mail.outbox[-1].subject == "BoneScan: Ein Fall wartet"


def test_the_limits_of_an_upload_are_german(doctor):
    shown = text(speaking(doctor).get(reverse("analyses:upload")))
    all_in(shown, "je Aufnahme", "Millionen", "oder mit Deflate")
    assert re.search(r'data-max-bytes="\d+"', shown)


def test_numbers_are_rounded_before_they_are_written():
    assert (wording.probability(0.799), figure(0.0777), figure(7)) == ("0.80", "0.078", "7")
    with translation.override("de"):
        assert (wording.probability(0.799), figure(0.0777), figure(None)) == ("0,80", "0,078", "")


def test_every_reason_why_a_film_failed_has_its_german_sentence():
    told = {*DECODE_CODES.values(), sweeper.EXHAUSTED_MESSAGE}
    for error in (
        SoftTimeLimitExceeded(),
        ValueError(),
        InferenceError("x", "The stored file is damaged. Ask the operator to restore it from a backup."),
    ):
        told.add(running._fault(error)[1])
    assert told <= set(stored_words.FAILURES)
    with translation.override("de"):
        for sentence in stored_words.FAILURES:
            assert stored_words.fault_words(sentence) != sentence


def test_a_failed_film_says_why_in_german_and_keeps_its_english_sentence(doctor, department):
    analysis = result("failed", study=StudyFactory(owner=department))
    analysis.error_message = DECODE_CODES["truncated"]
    analysis.save()
    page = text(speaking(doctor).get(reverse("analyses:case", args=[analysis.image.study_id])))
    all_in(page, "Die Datei ist unvollständig.")
    none_in(page, DECODE_CODES["truncated"])


def test_a_sentence_that_an_earlier_version_stored_is_shown_in_todays_words():
    assert set(stored_words.EARLIER.values()) <= {*stored_words.FAILURES, *stored_words.FAULTS}
    for earlier, today in stored_words.EARLIER.items():
        values = dict.fromkeys(("key", "wanted", "present"), "x")
        assert stored_words.fault_words(earlier % values) == today % values
        with translation.override("de"):
            assert stored_words.fault_words(earlier % values) == stored_words.fault_words(today % values)
            assert stored_words.fault_words(earlier % values) != today % values


@pytest.mark.parametrize("fault", ["card", "keys", "preprocessing", "weights", "pair", "absent", "name"])
def test_every_fault_of_a_model_has_its_german_sentence(toy, administrator, fault):
    folder = cards.installed()[TOY]
    path = folder / "card.json"
    if fault == "card":
        path.write_text("{")
    elif fault == "keys":
        path.write_text("{}")
    elif fault == "preprocessing":
        path.write_text(path.read_text().replace('"preprocessing_version": "1"', '"preprocessing_version": "0"'))
    elif fault == "weights":
        (folder / "model.safetensors").unlink()
    elif fault == "pair":
        (folder / "model.safetensors").write_bytes(b"x")
    elif fault == "name":
        path.write_text(path.read_text().replace('"version": "0"', '"version": "1"'))
    if fault == "absent":
        with pytest.raises(WeightsError) as refusal:
            registry.folder_of("toy-9")
        message = refusal.value.message
    else:
        message = registry.inspect_model(TOY, folder).fault
    assert message
    assert stored_words.fault_words(message) == message
    with translation.override("de"):
        assert stored_words.fault_words(message) != message
        assert "install" not in stored_words.fault_words(message).replace("installier", "").replace("Installier", "")


@pytest.mark.parametrize(
    ("label", "german"),
    [
        ("up to 33.4", "bis 33,4"),
        ("33.4 to 52.04", "33,4 bis 52,04"),
        ("above 1e-05", "über 1e-05"),
        ("2.5", "2,5"),
        ("yes", "ja"),
        ("malignant", "maligne"),
        ("knee", "Knie"),
        ("elbow joint", "elbow joint"),
    ],
)
def test_bins_are_named_in_the_language_of_the_page_and_stay_as_they_are_in_english(label, german):
    assert stored_words.bin_words(label) == label
    with translation.override("de"):
        assert stored_words.bin_words(label) == german


def test_the_bin_of_what_has_no_bin_of_its_own_is_not_called_like_a_sex():
    assert stored_words.bin_words("other") == "all others"
    with translation.override("de"):
        assert stored_words.bin_words("other") == "alle anderen"
