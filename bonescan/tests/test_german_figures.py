"""Performance, outcomes by CSV, trials and measurements in German; what programs and exports say stays English."""

import csv
import io

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.template.loader import render_to_string
from django.test import Client
from django.utils import translation

from accounts.models import Language
from analyses.answers import measurement
from analyses.answers.lesions import spacing_word
from analyses.answers.tags import figure, spacing
from analyses.answers.wording import probability
from analyses.evidence.outcomes.tests.test_outcome_import import file, line
from analyses.evidence.outcomes.tests.test_outcomes import signed_case
from analyses.evidence.performance.tests.test_performance import closed_case
from analyses.evidence.trial import services as trials
from analyses.formatting import written
from analyses.models import Annotation, Image, Trial
from analyses.reports import content as reports
from analyses.tests.factories import PatientFactory

pytestmark = pytest.mark.django_db


def page(user, address: str, data: dict | None = None, status: int = 200) -> str:
    """The page as a user reads it who chose German."""
    user.language = Language.GERMAN
    user.save()
    web = Client()
    web.force_login(user)
    answer = web.get(address) if data is None else web.post(address, data)
    assert answer.status_code == status
    text = answer.content.decode()
    assert '<html lang="de"' in text
    return text


def says(text: str, german: tuple[str, ...], english: tuple[str, ...]) -> None:
    """The German phrases stand on the page, the English ones do not."""
    assert [words for words in german if words not in text] == []
    assert [words for words in english if words in text] == []


@pytest.fixture
def closed(doctor):
    """Twelve closed cases of one man."""
    patient = PatientFactory(department=doctor.department, patient_sex="M")
    return [closed_case(doctor, patient=patient, own="benign", own_likelihood=40, likelihood=70) for _ in range(12)]


def test_performance_is_german_and_its_numbers_have_a_comma(doctor, closed):
    text = page(doctor, "/performance/")
    says(
        text,
        (
            *(
                "12 abgeschlossene Fälle von 1 Patient in Orthopaedics, 12 maligne, 12 durch Pathologie.",
                "<b>1,000</b>",
            ),
            *(
                "Befund ohne Modell",
                "Zum Modell hin",
                "Geänderter Anteil von 12 Fällen:",
                "Männlich",
                "95-%-Intervalle",
            ),
        ),
        ("closed case", "Reader without the model", "Sensitivity", "too few", "By group", "On this page", ">none<"),
    )
    assert '<td lang="en">Identifier of the case.</td>' in text


def test_the_export_of_performance_stays_english(doctor, closed):
    doctor.language = Language.GERMAN
    doctor.save()
    web = Client()
    web.force_login(doctor)
    rows = list(csv.DictReader(io.StringIO(web.get("/performance/rows.csv").content.decode("utf-8-sig"))))
    assert {(row["sex"], row["reader"], row["age_group"]) for row in rows} <= {
        ("male", "you", age) for age in ("0 to 9", "10 to 19", "20 to 39", "40 to 59", "60 and older", "not stated")
    }
    assert {row["probability"] for row in rows} <= {"0.8000", ""}


def test_a_department_without_closed_cases_is_told_so_in_german(doctor):
    says(page(doctor, "/performance/"), ("Noch kein Fall ist abgeschlossen",), ("No case is closed", "Import outcomes"))


def test_the_import_of_outcomes_answers_in_german(doctor):
    signed_case(doctor, accession_number="ACC-1")
    says(
        page(doctor, "/outcomes/import/"),
        (
            "Endergebnisse importieren",
            "CSV, höchstens 5000 Zeilen und 2 MB",
            "Wodurch die Diagnose gesichert ist: pathology",
        ),
        ("Import outcomes", "Columns", "Check and import", "no patient name"),
    )
    rows = file(
        line(accession="ACC-1", on="04/11/2026"), line(accession="NO-SUCH"), line(accession="ACC-1", grade="G2")
    )
    text = page(doctor, "/outcomes/import/", {"file": SimpleUploadedFile("o.csv", rows)}, status=422)
    says(
        text,
        (
            *("Nichts wurde gespeichert", "3 von 3 Zeilen", "unbekannter Fall", "fehlerhaft", "widersprüchlich"),
            *(
                "date ist kein Datum wie",
                "Ihre Abteilung hat keinen Fall mit dieser Nummer.",
                "Grading: Nur maligne Tumoren",
            ),
        ),
        ("Nothing was stored", "malformed", "unknown case", "is not a date"),
    )
    empty = {"file": SimpleUploadedFile("o.csv", file())}
    assert "keine Zeile unter der Kopfzeile" in page(doctor, "/outcomes/import/", empty, status=400)


def test_trials_are_german(administrator):
    says(
        page(administrator, "/admin/trial/"),
        ("Randomisierte Studie beginnen", "Geplante Fälle"),
        ("Start a trial", "Planned cases"),
    )
    refused = page(administrator, "/admin/trial/", {"name": " ", "planned_cases": "1"}, status=400)
    says(
        refused,
        ("Studie beginnen", "Dieses Feld ist zwingend erforderlich.", "Dieser Wert muss größer oder gleich 2 sein."),
        ("Start a trial", "This field is required", "Ensure this value"),
    )
    trial = trials.start_trial(name="With and without", planned_cases=400, user=administrator)
    says(
        page(administrator, f"/admin/trial/{trial.pk}/"),
        ("0 von 400 geplanten", "Randomisierte Studie schließen"),
        ("planned", "Running"),
    )
    trials.close_trial(trial, administrator)
    trial = Trial.objects.get()
    says(
        page(administrator, f"/admin/trial/{trial.pk}/"),
        ("Kennzahlen beider Arme", "95-%-Intervall", "zu wenige Fälle", "Befundungszeit, s"),
        ("Both arms", "too few", "Reading time", "95 % interval"),
    )


@pytest.mark.parametrize(
    ("kind", "values", "unit", "said"),
    [
        ("angle", {"angle_deg": 90.04}, "", "90,0°"),
        ("length", {"length_px": 12.5, "length_mm": 6.25}, "", "6,2 mm"),
        ("length", {"length_px": 100, "length_detector_mm": 10}, "", "100,0 px (10,0 mm in der Detektorebene"),
        (
            *("ellipse", {"area_px2": 1280.4, "mean": 12.34, "sd": 1, "lowest": 0, "highest": 9}),
            *("stored value", "Fläche 1.280 px², Mittelwert 12,3, SD 1,0 (gespeicherter Wert)"),
        ),
    ],
)
def test_measurements_are_said_in_german(kind, values, unit, said):
    one = Annotation(kind=kind, values=values, value_unit=unit)
    with translation.override("de"):
        assert measurement.words(one).startswith(said)
        assert said.startswith(measurement.short_words(one))


def test_a_films_spacing_is_said_in_german_and_kept_in_english():
    film = Image(pixel_spacing_mm=[0.1434, 0.1434], spacing_source="detector plane, uncalibrated")
    assert spacing(film) == "0.143 mm/px, detector plane, uncalibrated"
    with translation.override("de"):
        assert spacing(film) == "0,143 mm/px, Detektorebene, nicht kalibriert"
        assert spacing_word(Image(spacing_source="what a later program may say")) == "what a later program may say"


def test_numbers_are_rounded_and_not_cut_off():
    assert (probability(0.857), figure(0.9996), written(1234.56, 1, grouped=True)) == ("0.86", "1.000", "1,234.6")
    with translation.override("de"):
        assert (probability(0.857), figure(0.9996), written(1234.56, 1, grouped=True)) == ("0,86", "1,000", "1.234,6")


def test_the_report_prints_measurements_in_german():
    row = {"film": "Aufnahme 1", "one": Annotation(kind="length"), "figures": "6,2 mm", "no_mm": "so"}
    with translation.override("de"):
        says(
            render_to_string("analyses/reports/_measurements.html", {"measurements": [row]}),
            ("Messungen", "Länge"),
            ("Film",),
        )


def test_german_nouns_keep_their_capital_in_the_sizes_of_a_report(monkeypatch):
    class Lesion:
        number, size_words = 1, "größter Durchmesser 30 px, Fläche 400 px²"

    class Analysis:
        image = Image()

    film = reports.ReportedFilm(1, Analysis(), "", "", "", [], [], reports.images.Pictures(), "", [Lesion()])
    with translation.override("de"):
        assert film.sizes.startswith("Größter Durchmesser 30 px, Fläche 400 px² (keine Größe in mm: die Datei enthält")
