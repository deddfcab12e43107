"""How often the pages that doctors wait for ask the database, however many of their parts want to know the same."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from analyses.models import Report, Study
from analyses.tests.factories import StudyFactory, result

pytestmark = pytest.mark.django_db
STATEMENTS = ("SELECT", "INSERT", "UPDATE", "DELETE")
READING = {
    "reading": "malignant",
    "recommendation": "refer",
    "likelihood": "90",
    "model_reading": "malignant",
    "version": "0",
}


@pytest.fixture
def web(client, doctor):
    client.force_login(doctor)
    return client


def case_of_two_films(department) -> Study:
    study = StudyFactory(owner=department)
    result("malignant", study=study)
    result("benign", study=study)
    return study


def statements(ask) -> list[str]:
    """What a request asks the database of the record: neither transactions nor the session, written now and then."""
    with CaptureQueriesContext(connection) as captured:
        assert ask().status_code in (200, 302)
    asked = [query["sql"] for query in captured.captured_queries]
    return [sql for sql in asked if sql.startswith(STATEMENTS) and '"django_session"' not in sql]


def warm(ask) -> list[str]:
    """As ``statements``, of a request that finds in the cache what all pages share."""
    ask()
    return statements(ask)


def of(table: str, asked: list[str]) -> int:
    """How many of the statements are about rows of this table."""
    return sum(f'FROM "{table}"' in sql.split("WHERE")[0] for sql in asked if sql.startswith("SELECT"))


def test_the_page_of_an_unsigned_case_asks_for_each_part_once(web, department):
    study = case_of_two_films(department)
    asked = warm(lambda: web.get(reverse("analyses:case", args=[study.pk])))
    assert len(asked) <= 21
    assert of("analyses", asked) == of("analyses_ownreading", asked) == of("analyses_secondreading", asked) == 1


def test_the_page_of_a_signed_case_asks_for_each_part_once(web, signed):
    result("benign", study=signed)
    asked = warm(lambda: web.get(reverse("analyses:case", args=[signed.pk])))
    assert len(asked) <= 24
    assert of("analyses", asked) == of("analyses_ownreading", asked) == of("analyses_secondreading", asked) == 1


def test_a_case_of_a_department_that_reads_first_asks_for_no_more(web, department):
    department.reading_mode = "own_first"
    department.save()
    study = case_of_two_films(department)
    page = reverse("analyses:case", args=[study.pk])
    assert len(warm(lambda: web.get(page))) <= 20
    web.post(reverse("analyses:unaided_open", args=[study.pk]))
    web.post(reverse("analyses:unaided_lock", args=[study.pk]), {"reading": "malignant", "likelihood": "80"})
    asked = warm(lambda: web.get(page))
    assert len(asked) <= 22
    assert of("analyses", asked) == of("analyses_ownreading", asked) == 1


def test_the_poll_asks_for_the_films_only_while_nothing_new_came(web, department):
    study = case_of_two_films(department)
    panel = reverse("analyses:case_panel", args=[study.pk, study.images.first().analyses.get().pk])
    assert len(warm(lambda: web.get(panel))) <= 19
    seen = web.get(reverse("analyses:case", args=[study.pk])).context["change_marker"]
    assert len(warm(lambda: web.get(f"{panel}?seen={seen}"))) <= 7


def test_a_signature_asks_for_each_part_once_after_each_lock(
    web, department, quick_pdf, django_capture_on_commit_callbacks
):
    study = case_of_two_films(department)
    web.get(reverse("analyses:case_list"))

    def sign():
        with django_capture_on_commit_callbacks(execute=True):
            return web.post(reverse("analyses:case_reading", args=[study.pk]), READING | {"action": "sign"})

    asked = statements(sign)
    assert Report.objects.filter(study=study, kind="final").exists()
    assert len(asked) <= 43
    # For the draft, for the signature, for the report: each looks at the case as it is then.
    assert of("analyses_ownreading", asked) == 3
    assert of("analyses", asked) == 2


def test_the_worklist_asks_as_often_for_twenty_cases_as_for_one(web, department):
    case_of_two_films(department)
    page = reverse("analyses:case_list")
    one = warm(lambda: web.get(page))
    for _ in range(19):
        case_of_two_films(department)
    twenty = warm(lambda: web.get(page))
    assert len(one) == len(twenty) <= 18


def test_one_analysis_of_the_api_asks_little(web, department):
    analysis = case_of_two_films(department).images.first().analyses.get()
    assert len(warm(lambda: web.get(reverse("api:analysis-detail", args=[analysis.pk])))) <= 7
