"""In German: accounts, people and audit log, upload, reports, verification, status, API page and error pages."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.core import mail
from django.db import OperationalError
from django.template.loader import render_to_string
from django.test import Client
from django.urls import reverse
from django.utils import translation

from accounts import services
from accounts.models import Language, User
from accounts.services import create_token
from analyses.case_page import corrections
from analyses.pipeline import sweeper
from analyses.tests.factories import StudyFactory

GERMAN = {"Accept-Language": "de"}


def web_of(user: User) -> Client:
    user.language = Language.GERMAN
    user.save()
    client = Client()
    client.force_login(user)
    return client


def page(client: Client, name: str, *args, status: int = 200, **query: str) -> str:
    answer = client.get(reverse(name, args=args), query)
    assert answer.status_code == status
    text = answer.content.decode()
    assert '<html lang="de"' in text
    return text


@pytest.mark.parametrize(
    ("name", "gone", "said"),
    [
        (
            "accounts:people",
            ("People", "Last sign-in", "Any role", "Administrator", "never"),
            ("Personen", "Letzte Anmeldung"),
        ),
        ("accounts:person_new", ("Add a person", "Roles", "No department", "Report clerk"), ("Befundsekretariat",)),
        ("accounts:departments", ("Departments", "Balanced", "Active people"), ("Ausgewogen", "Neue Abteilung")),
        ("accounts:settings", ("Settings", "Institution name", "Printed at the top"), ("Name der Einrichtung",)),
        ("analyses:status", ("The queue is empty", "Processes", "Running", ">worker<"), ("Warteschlange", "wartet")),
    ],
)
def test_an_administrator_reads_german(administrator, department, name, gone, said):
    sweeper.sweep()
    text = page(web_of(administrator), name)
    assert [words for words in gone if words in text] == []
    assert [words for words in said if words not in text] == []


def test_one_account_and_one_department_are_german(administrator, api_client, department):
    create_token(api_client, "scanner", None)
    web = web_of(administrator)
    text = page(web, "accounts:person", api_client.pk)
    for words in ("Permissions", "Create token", "Revoke", "has never signed in", "no expiry", "Deactivate"):
        assert words not in text
    assert "scanner widerrufen" in text
    text = page(web, "accounts:department", department.pk)
    for words in ("cut-offs", "After my unaided reading", "Rule-out", "Operating point", "Save<"):
        assert words not in text


def test_what_an_administrator_is_told_is_german(administrator, doctor, department):
    web = web_of(administrator)
    fields = {"email": doctor.email, "roles": ["doctor"], "department": department.pk}
    text = web.post(reverse("accounts:person_new"), fields).content.decode()
    assert "Ein Konto mit dieser Adresse besteht bereits." in text
    text = web.post(reverse("accounts:person_deactivate", args=[administrator.pk]), follow=True).content.decode()
    assert "Dies ist das letzte Konto mit der Rolle Administration." in text


@pytest.mark.parametrize(("language", "subject"), [("de", "BoneScan: Passwort setzen"), ("", "set your password")])
def test_the_mail_with_a_link_is_in_the_language_of_whoever_gets_it(administrator, doctor, language, subject):
    doctor.language = language
    doctor.save()
    with translation.override("en-gb" if language else "de"):
        services.send_password_link(doctor, by=administrator)
    assert subject in mail.outbox[0].subject
    assert ("Sie haben ein Konto" in mail.outbox[0].body) == bool(language)


def test_tokens_and_their_refusals_are_german(doctor):
    web = web_of(doctor)
    text = page(web, "accounts:tokens")
    for words in ("No token yet", "A token lets", "Valid until", "Create token", "The machine or program"):
        assert words not in text
    text = web.post(reverse("accounts:tokens"), {"name": "x", "expires_on": "2001-01-01"}).content.decode()
    assert "Wählen Sie ein Datum in der Zukunft." in text


def test_the_password_form_says_sie(doctor):
    sent = {"oldpassword": "wrong", "password1": "a few random words", "password2": "others"}
    text = web_of(doctor).post(reverse("account_change_password"), sent).content.decode()
    for words in ("Das bisherige Passwort ist falsch.", "Die beiden Passwörter stimmen nicht überein."):
        assert words in text


def test_the_audit_log_is_german_but_for_its_codes(auditor, doctor, signed):
    web = web_of(auditor)
    text = page(web, "accounts:audit_log")
    for words in ("Audit log", "Patient identity", ">Who<", ">Until<", "Any action", ">allowed<", " events"):
        assert words not in text
    assert '<span lang="en">sign</span>' in text
    assert re.search(r">\d\d\.\d\d\.\d{4} \d\d:\d\d:\d\d</time>", text)
    first = b"".join(web.get(reverse("accounts:audit_export")).streaming_content).decode().splitlines()[0]  # type: ignore[attr-defined]
    assert first.endswith(
        "at,action,allowed,user,token,department,object_type,object_id,case_id,subject_masked,detail,ip_address,request_id"
    )
    assert "Kein Ereignis" in page(web, "accounts:audit_log", person="nobody at all")


def test_uploading_is_german(doctor, signed):
    web = web_of(doctor)
    text = page(web, "analyses:upload")
    for words in (
        "Choose films",
        "Upload and analyse",
        "up to",
        "million pixels",
        "All optional",
        "Ready",
        "one frame",
    ):
        assert words not in text
    assert f'data-max-bytes="{settings.MAX_UPLOAD_BYTES}"' in text
    answer = web.post(reverse("analyses:upload"), {"patient_birth_date": "2999-01-01"})
    assert answer.status_code == 400
    for words in ("Wählen Sie mindestens eine Aufnahme.", "Dieses Datum liegt in der Zukunft."):
        assert words in answer.content.decode()
    script = web.post(reverse("analyses:upload"), {}, headers={"Accept": "application/json"}).json()
    assert script["code"] == "bad_field"
    assert script["detail"] == "Einige Felder sind ungültig."
    assert "Akte" in page(web, "analyses:case_add", signed.pk)


def test_forms_of_a_case_refuse_in_german(doctor, signed):
    web = web_of(doctor)
    identity = {name: getattr(signed.patient, name) for name in ("patient_id", "patient_name", "patient_sex")}
    answer = web.post(reverse("analyses:case_reassign", args=[signed.pk]), identity | {"reason": "x"})
    assert "Nichts wurde geändert." in answer.content.decode()


def test_reports_are_german(clerk, doctor, signed, quick_pdf):
    for user in (clerk, doctor):
        text = page(web_of(user), "analyses:report_list")
        for words in ("Reports", "Signed", "Download selected", "Accession number", "one archive", "Search"):
            assert words not in text
        assert "1 bis 1 von 1 Befundbericht" in text
        text = page(web_of(user), "analyses:report_list", q="nothing like it")
        assert "Keine Treffer" in text
    answer = web_of(clerk).post(reverse("analyses:report_archive"), {}, follow=True)
    assert "Wählen Sie 1 bis 100 Befundberichte für ein Archiv." in answer.content.decode()


def test_a_refused_report_is_german(doctor, department):
    study = StudyFactory(owner=department)
    text = page(web_of(doctor), "analyses:case_report", study.pk, status=409)
    assert "Kein Befundbericht" in text
    assert "Es gibt noch kein Ergebnis" in text


def test_verification_follows_the_browser(client, signed, doctor, quick_pdf):
    report = corrections.reports.issue_report(signed, doctor)
    text = client.get(reverse("analyses:verify"), headers=GERMAN).content.decode()
    for words in ("Verify a report", "fingerprint", "Look up", "Paste the 64"):
        assert words not in text
    answer = client.get(reverse("analyses:verify_lookup", args=[report.pdf_sha256]), headers=GERMAN).json()
    assert answer["headline"] == f"Hier ausgestellt am {report.issued_at:%d.%m.%Y}: gültig"
    assert (answer["state"], answer["tone"]) == ("valid", "info")
    answer = client.get(reverse("analyses:verify_lookup", args=["short"]), headers=GERMAN)
    assert "weder ein Prüfcode" in answer.json()["detail"]


def test_the_api_page_is_german_around_an_english_reference(doctor):
    text = page(web_of(doctor), "api:docs")
    assert "Programs upload films" not in text
    assert 'id="swagger-ui" class="api-docs" lang="en"' in text


def test_the_case_page_names_the_stages_in_german(doctor, signed):
    analysis = signed.images.first().analyses.first()
    analysis.timings_ms = {"waiting": 10.0, "decoding": 20.0, "other": 1.0}
    analysis.save()
    text = page(web_of(doctor), "analyses:case", signed.pk)
    assert "<dt>Wird dekodiert</dt>" in text
    assert "<dt>Decoding</dt>" not in text


@pytest.mark.parametrize(
    "path", sorted(Path(settings.BASE_DIR, "templates").glob("[45]*.html")), ids=lambda path: path.stem
)
def test_error_pages_need_neither_request_nor_database(path):
    with translation.override("de"):
        text = render_to_string(path.name)
    for words in ("Go to the start page", "Error ", "again", "The "):
        assert words not in text
    assert f"Fehler</span> {path.stem}" in text or f"Fehler {path.stem}" in text


def test_a_missing_page_is_german(doctor):
    answer = web_of(doctor).get("/no/such/page/")
    assert answer.status_code == 404
    assert "Seite nicht gefunden" in answer.content.decode()
    detail = web_of(doctor).get("/api/v1/no/such/").json()["detail"]
    assert detail == "Unknown address. API addresses end with a slash; file addresses do not."


def test_without_a_database_the_browser_says_which_language(client, db, monkeypatch):
    def away(request):
        raise OperationalError("away")

    monkeypatch.setattr("accounts.sign_in.middleware.language_of", away)
    client.raise_request_exception = False
    answer = client.get("/accounts/login/", headers=GERMAN | {"Accept": "text/html"})
    assert answer.status_code == 503
    assert "Vorübergehend nicht verfügbar" in answer.content.decode()
    assert "Temporarily unavailable" in client.get("/accounts/login/", headers={"Accept": "text/html"}).content.decode()
    assert translation.get_language() == settings.LANGUAGE_CODE
