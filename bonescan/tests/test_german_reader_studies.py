"""Reader studies in German: the administrator's pages from draft to results, and the reader's."""

import re

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Language
from analyses.evidence.reader_studies import reading, services
from analyses.evidence.reader_studies.tests import draft, plain_judge, read_session, started
from analyses.models import Condition
from analyses.pipeline import holds

pytestmark = pytest.mark.django_db


def german(user) -> Client:
    user.language = Language.GERMAN
    user.save()
    client = Client()
    client.force_login(user)
    return client


def shown(client, name, *args, status=200) -> str:
    answer = client.get(reverse(f"analyses:{name}", args=args))
    assert answer.status_code == status
    text = answer.content.decode()
    assert '<html lang="de"' in text
    # Positions in drawings are no prose: a comma between digits of one number would break them.
    assert not re.search(r'(?:\bx|y|x1|x2|y1|y2|width|height|max|value)="[^"]*\d,\d+"', text)
    return text


def told(text: str, german_words: tuple[str, ...], english: tuple[str, ...]) -> None:
    assert [words for words in german_words if words not in text] == []
    assert [words for words in english if words in text] == []


def read_until(reader, condition) -> None:
    """Read on until a case in this condition is next."""
    while reading.current_progress(reader).reading.condition != condition:
        read_session(reader, limit=1)


def test_the_list_and_a_draft(administrator, department):
    admin = german(administrator)
    told(shown(admin, "reader_studies"), ("Noch keine Leserstudie", "Neue Leserstudie"), ("Reader stud", "New study"))
    reader_study = draft(department, administrator, cases=3)
    told(shown(admin, "reader_studies"), ("28 Tage", "Entwurf", "Auswaschphase"), ("Wash-out", "28 days", ">draft<"))
    text = shown(admin, "reader_study", reader_study.pk)
    told(
        text,
        (
            "Fälle ziehen",
            "aus eingetragenen Endergebnissen",
            ">maligne<",
            "Leserstudie starten",
            "28 Tage später",
            "Endergebnis von",
        ),
        ("Draw cases", "Add cases", ">malignant<", "Start the study", "Remove", "Case id", "Do not enter"),
    )
    refused = admin.post(
        reverse("analyses:reader_study_cases", args=[reader_study.pk]), {"lines": "nothing, malignant"}
    )
    assert "Zeile 1: Das ist keine Fall-ID." in refused.content.decode()
    refused = admin.post(reverse("analyses:reader_study_draw", args=[reader_study.pk]), {"benign": "2"})
    assert "Kein passender Fall ist verfügbar." in refused.content.decode()


def test_an_open_reader_study_and_its_readers_pages(administrator, department):
    reader_study = started(department, administrator, cases=4, readers=3)
    admin = german(administrator)
    told(
        shown(admin, "reader_study", reader_study.pk),
        ("0 von 24 Befundungen zu 4 Fällen", "Fortschritt", "Schließen und auswerten"),
        ("Progress", "readings of", "Close and analyse", "Waive"),
    )
    with_it, without_it, held = reader_study.readers.select_related("user", "reader_study")
    page = german(with_it.user)
    told(
        shown(page, "assigned_reader_studies"),
        ("zu befunden", "0 von 4", "1 von 2"),
        ("to read", "Session", "Names,"),
    )
    for reader, condition in ((with_it, Condition.WITH), (without_it, Condition.WITHOUT)):
        read_until(reader, condition)
        text = shown(german(reader.user), "reader_study_read", reader_study.pk)
        assert ("Zweitmeinung" in text) == (condition == Condition.WITH)
        told(
            text,
            ("Fall ", "Abgeben und weiter", "Sitzung", "Aufnahme 1: Plus und Minus zoomen"),
            ("Case ", "Submit", "Session", "Condition", "Film viewer", "the model", "Second opinion", "certainly"),
        )
    read_until(held, Condition.WITH)
    holds.withhold_for_all(reason="drift", by=administrator)
    told(
        shown(admin, "reader_study", reader_study.pk), ("Befundungen mit Antwort sind angehalten",), ("Readings with",)
    )
    told(
        shown(german(held.user), "reader_study_read", reader_study.pk),
        ("Ihr nächster Fall ist angehalten",),
        ("Your next case is on hold",),
    )
    holds.lift(reason="repaired", by=administrator)
    read_session(with_it)
    told(
        shown(page, "reader_study_read", reader_study.pk),
        ("Sitzung 1 ist abgeschlossen", "Auswaschphase von 28 Tagen"),
        ("Session", "days"),
    )


def test_results(administrator, department):
    def judge(row):
        word, likelihood = plain_judge(row)
        return word, likelihood - row.study_case.number if row.reader.number == 1 else likelihood

    reader_study = started(department, administrator, cases=6, readers=2)
    for reader in reader_study.readers.select_related("user", "reader_study"):
        read_session(reader, judge)
        services.waive_washout(reader, "test", administrator)
        reader.refresh_from_db()
        read_session(reader, judge)
    services.close(reader_study, administrator)
    text = shown(german(administrator), "reader_study", reader_study.pk)
    told(
        text,
        (
            "Mit Vorsicht zu interpretieren",
            "Auf die Auswaschphase der befundenden Person 1 wurde verzichtet.",
            "Weniger als drei vollständige Befundende",
            "Sensitivität",
            "1 − Spezifität",
            "1,000",
            ">0,5</text>",
            "3 von 3",
            "Befundungen exportieren (ZIP)",
        ),
        (
            "Interpret with caution",
            "was waived",
            "Sensitivity",
            "specificity",
            "1.000",
            "solid:",
            "Seed of",
            ">without<",
            " of 3",
        ),
    )
