"""The OpenAPI schema is valid, complete and true, and its page asks nothing of another host."""

import json
import re
from io import StringIO
from typing import Any

import pytest
import schemathesis
from django.conf import settings as django_settings
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.test import Client
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import CHECKS

from analyses.answers.wording import WITHHELD
from analyses.api import schema as words
from analyses.api.serializers import AnalysisSerializer, RegionSerializer, ResultSerializer, SizeSerializer
from analyses.api.urls import urlpatterns
from analyses.models import Analysis
from analyses.tests.api_calls import caller, post_film
from analyses.tests.factories import REGION, result

SCHEMA = "/api/v1/schema/"
OPERATIONS = [
    ("/api/v1/analyses/", "GET"),
    ("/api/v1/analyses/", "POST"),
    ("/api/v1/analyses/{id}/", "GET"),
    ("/api/v1/analyses/{id}/report.pdf", "GET"),
    ("/api/v1/analyses/{id}/image.png", "GET"),
    ("/api/v1/analyses/{id}/saliency.png", "GET"),
    ("/api/v1/analyses/{id}/cancel/", "POST"),
    ("/api/v1/analyses/{id}/retry/", "POST"),
]
# Rules that no schema can state (a date in the future, a control character) refuse some bodies that fit the schema.
UNSTATED = {"positive_data_acceptance"}


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    """The schema, from the command that fails on every warning."""
    out = StringIO()
    call_command("spectacular", validate=True, fail_on_warn=True, format="openapi-json", stdout=out)
    return json.loads(out.getvalue())


def test_the_schema_is_valid_and_names_every_address(described):
    operations = {(path, method.upper()) for path, methods in described["paths"].items() for method in methods}
    assert operations == set(OPERATIONS)
    without_operations = {"schema", "docs", "no-such-address"}
    assert len(described["paths"]) == len({route.name for route in urlpatterns} - without_operations)


def test_every_operation_needs_a_token_or_a_session_and_states_its_refusals(described):
    for methods in described["paths"].values():
        for operation in methods.values():
            assert operation["security"] == [{"Token": []}, {"Session": []}]
            assert {"401", "403", "429", "503"} <= set(operation["responses"])
            for status, response in operation["responses"].items():
                if int(status) >= 400:
                    shape = response["content"]["application/json"]["schema"]
                    assert shape == {"$ref": "#/components/schemas/Error"}


def test_the_handbook_lists_every_code_of_the_schema_under_its_status(described):
    stated: dict[str, set[str]] = {"405": {"method_not_allowed"}, "429": {"throttled"}}
    for methods in described["paths"].values():
        for operation in methods.values():
            for status, response in operation["responses"].items():
                for example in response["content"].get("application/json", {}).get("examples", {}).values():
                    if int(status) >= 400:
                        stated.setdefault(status, set()).add(example["value"]["code"])
    handbook = (django_settings.BASE_DIR / "docs" / "api.md").read_text()
    rows = re.findall(r"^\| (\d{3}) \| (.*?) \|", handbook, re.MULTILINE)
    assert {status: set(re.findall(r"`(\w+)`", codes)) for status, codes in rows} == stated


def test_the_examples_have_the_keys_of_the_answers():
    for example in (words.ANALYSED, words.WITHHELD, words.WAITING, words.UNREADABLE):
        assert set(example) == set(AnalysisSerializer().fields)
    for example in (words.ANALYSED, words.WITHHELD):
        assert list(example["result"]) == list(ResultSerializer().fields)
    assert set(words.REGION) == set(RegionSerializer().fields)
    assert set(words.REGION["size"]) == set(SizeSerializer().fields)


def test_the_handbook_shows_an_answer_with_the_fields_of_the_schema():
    handbook = (django_settings.BASE_DIR / "docs" / "api.md").read_text()
    shown = json.loads(re.findall(r"```json\n(.*?)```", handbook, re.DOTALL)[0])
    assert list(shown) == list(AnalysisSerializer().fields)
    assert list(shown["result"]) == list(ResultSerializer().fields)
    assert set(shown["result"]["regions"][0]) == set(RegionSerializer().fields)
    explained = set(re.findall(r"^- `(\w+)`", handbook, re.MULTILINE))
    assert {"outcome", "leaning", "withheld_reasons", "prediction_set", "subtypes", "regions", "distance"} <= explained


def test_the_handbook_names_every_reason_for_withholding(described):
    handbook = (django_settings.BASE_DIR / "docs" / "api.md").read_text()
    text = described["components"]["schemas"]["Result"]["properties"]["withheld_reasons"]["description"]
    assert all(f"`{code}`" in handbook and f"`{code}`" in text for code in WITHHELD)


@pytest.mark.django_db
def test_the_schema_is_for_everybody_who_is_signed_in_or_has_a_token(token, auditor, described):
    assert Client().get(SCHEMA).status_code == 401
    signed_in = Client()
    signed_in.force_login(auditor)
    for client in (signed_in, caller(token)):
        answer = client.get(SCHEMA)
        assert answer["Content-Type"] == "application/json"
        assert answer.json() == described


@pytest.mark.django_db
def test_the_page_loads_its_scripts_from_here_and_holds_none(auditor):
    client = Client()
    assert client.get("/api/v1/docs/").status_code == 302
    client.force_login(auditor)
    page = client.get("/api/v1/docs/").content.decode()
    assert 'data-schema-url="/api/v1/schema/"' in page
    sources = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert any("swagger-ui-bundle.js" in source for source in sources)
    assert all(source.startswith(("/", "#")) for source in sources)
    assert re.findall(r"<script(?![^>]*\bsrc=)", page) == []
    assert "<style" not in page
    assert " style=" not in page


@pytest.fixture
def analyses(api_client, token, other_token) -> list[str]:
    """One analysis in each state, and one of another department."""
    by = api_client.api_tokens.get()
    owner = {"api_token": by, "requested_by": api_client, "image__study__owner": api_client.department}
    rows = [result(outcome, **owner) for outcome in ("withheld", "not_analysable", "failed")]
    rows.append(result("malignant", regions=[REGION], **owner))
    foreign = post_film(caller(other_token), seed=1).json()["id"]
    return [str(row.pk) for row in rows] + [post_film(caller(token)).json()["id"], foreign]


# Whole requests end and close connections here, which a test inside one transaction would not survive.
@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("path", "method"), OPERATIONS, ids=[f"{method} {path}" for path, method in OPERATIONS])
def test_what_the_portal_answers_is_what_the_schema_says(path, method, described, analyses, token):
    tested = schemathesis.openapi.from_dict(described)
    tested.app = get_wsgi_application()
    operation = tested[path][method]
    excluded = [CHECKS.get_one(name) for name in UNSTATED]

    fitting, unfitting = (operation.as_strategy(generation_mode=mode) for mode in schemathesis.GenerationMode)

    @given(case=fitting | unfitting, known=st.sampled_from([*analyses, ""]))
    @settings(
        max_examples=25,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        derandomize=True,
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    def ask(case: schemathesis.Case, known: str) -> None:
        if "id" in case.path_parameters and known:
            case.path_parameters["id"] = known
        send(case)

    def send(case: schemathesis.Case) -> None:
        answers.add(
            case.call_and_validate(headers={"Authorization": f"Token {token}"}, excluded_checks=excluded).status_code
        )

    answers: set[int] = set()
    if "{id}" in path:
        # What is drawn may leave out the one analysis that can be cancelled.
        for known in analyses:
            send(operation.Case(path_parameters={"id": known}))
    ask()
    assert min(answers) < 300, "nothing that was asked succeeded"
    assert Analysis.objects.exists()
