"""Cases of a draft drawn at random from recorded outcomes: which can be drawn, how, and what is kept of the draw."""

import hashlib
import re
from datetime import date

import pytest
from django.core.exceptions import PermissionDenied
from django.urls import reverse

from accounts.models import AuditEvent
from accounts.tests.factories import UserFactory
from analyses.errors import Conflict, Invalid
from analyses.evidence.outcomes import services as outcomes
from analyses.evidence.outcomes.services import OutcomeFields
from analyses.evidence.reader_studies import case_draw, services
from analyses.evidence.reader_studies.tests import signed_case
from analyses.models import Analysis, Image, Study

pytestmark = pytest.mark.django_db


@pytest.fixture
def reader_study(administrator, department):
    return services.create_reader_study(name="Knee films", department=department, washout_days=28, by=administrator)


def closed_case(department, truth="malignant", on=date(2026, 4, 11)) -> Study:
    case = signed_case(department)
    enterer = UserFactory(department=department, roles=["doctor"])
    outcomes.enter_outcome(case, OutcomeFields(truth, "pathology", on), user=enterer)
    return case


def drawn(reader_study) -> dict:
    return dict(reader_study.cases.values_list("case_id", "truth"))


def post(client, reader_study, **body):
    return client.post(reverse("analyses:reader_study_draw", args=[reader_study.pk]), body, follow=True)


def listed(client, address) -> list[str]:
    """What the page says of each draw."""
    notes = re.search(
        r'<ul class="reader-study-notes small muted">(.*?)</ul>', client.get(address).content.decode(), re.DOTALL
    )
    return re.findall(r"<li>(.*?)</li>", notes[1])


def test_as_many_of_each_outcome_are_drawn_as_asked_and_the_outcome_is_the_truth(
    administrator, department, reader_study
):
    cases = {truth: [closed_case(department, truth) for _ in range(3)] for truth in ("malignant", "benign", "normal")}
    assert case_draw.draw_cases(reader_study, by=administrator, malignant=2, benign=1, normal=3) == 6
    found = drawn(reader_study)
    for truth, count in (("malignant", 2), ("benign", 1), ("normal", 3)):
        keys = [key for key, word in found.items() if word == truth]
        assert len(keys) == count
        assert set(keys) <= {case.pk for case in cases[truth]}
    assert list(reader_study.cases.values_list("number", flat=True)) == [1, 2, 3, 4, 5, 6]


def test_the_kept_seed_gives_the_same_draw_again(administrator, department, reader_study):
    keys = [closed_case(department).pk for _ in range(6)]
    case_draw.draw_cases(reader_study, by=administrator, malignant=2, since=date(2026, 1, 1))
    reader_study.refresh_from_db()
    (draw,) = reader_study.draws
    assert draw["asked"] == {"malignant": 2, "benign": 0, "normal": 0}
    assert (draw["since"], draw["until"], len(draw["seed"])) == ("2026-01-01", "", 32)
    random_order = sorted(
        keys, key=lambda key: hashlib.sha256(f"{draw['seed']}|case|malignant|{key}".encode()).hexdigest()
    )
    assert list(reader_study.cases.values_list("case_id", flat=True)) == random_order[:2]
    event = AuditEvent.objects.get(action="draw_study_cases")
    kept = {name: draw[name] for name in ("seed", "asked", "since", "until")}
    assert event.detail == {"cases": 2, **kept}
    assert draw == kept | {"rows": [str(key) for key in reader_study.cases.values_list("pk", flat=True)]}
    assert (event.object_id, event.user) == (str(reader_study.pk), administrator)


def test_only_signed_radiographs_of_the_department_with_a_current_outcome_and_a_film_are_drawn(
    administrator, department, other_department, reader_study
):
    fit = closed_case(department)
    signed_case(department)
    closed_case(other_department)
    closed_case(department, "benign")
    in_reader_study, filmless, burned, magnetic, reopened = (closed_case(department) for _ in range(5))
    services.add_cases(reader_study, [(str(in_reader_study.pk), "malignant")], administrator)
    Image.objects.filter(study=filmless).update(canonical_file="")
    Analysis.objects.filter(image__study=burned).update(warnings=[{"code": "burned_in_annotation"}])
    Study.objects.filter(pk=magnetic.pk).update(modality="MR")
    Study.objects.filter(pk=reopened.pk).update(reading_state="preliminary")
    corrected = closed_case(department)
    doctor = UserFactory(department=department, roles=["doctor"])
    outcomes.enter_outcome(corrected, OutcomeFields("benign", "pathology", date(2026, 5, 1)), user=doctor)
    with pytest.raises(Invalid) as refused:
        case_draw.draw_cases(reader_study, by=administrator, malignant=2)
    assert refused.value.code == "too_few"
    assert refused.value.fields == {"malignant": ["Only 1 matching case is available. Nothing was drawn."]}
    assert drawn(reader_study) == {in_reader_study.pk: "malignant"}
    case_draw.draw_cases(reader_study, by=administrator, malignant=1)
    assert drawn(reader_study) == {in_reader_study.pk: "malignant", fit.pk: "malignant"}


@pytest.mark.parametrize(
    ("since", "until", "count"),
    [
        (None, date(2026, 4, 10), 1),
        (date(2026, 4, 10), date(2026, 4, 11), 2),
        (date(2026, 4, 12), None, 1),
        (date(2026, 5, 1), None, 0),
    ],
)
def test_dates_of_the_outcome_are_both_included(administrator, department, reader_study, since, until, count):
    for day in (10, 11, 12):
        closed_case(department, on=date(2026, 4, day))
    with pytest.raises(Invalid):
        case_draw.draw_cases(reader_study, by=administrator, malignant=count + 1, since=since, until=until)
    if count:
        assert case_draw.draw_cases(reader_study, by=administrator, malignant=count, since=since, until=until) == count


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({}, "malignant"),
        ({"malignant": -1, "benign": 2}, "malignant"),
        ({"benign": services.MAX_CASES + 1}, "malignant"),
        ({"normal": 1, "since": date(2026, 2, 2), "until": date(2026, 2, 1)}, "until"),
    ],
)
def test_a_draw_that_breaks_a_rule_says_which(administrator, reader_study, asked, field):
    with pytest.raises(Invalid) as refused:
        case_draw.draw_cases(reader_study, by=administrator, **asked)
    assert list(refused.value.fields) == [field]


def test_cases_are_drawn_by_administrators_into_a_draft_only(administrator, department, doctor, reader_study):
    closed_case(department)
    with pytest.raises(PermissionDenied):
        case_draw.draw_cases(reader_study, by=doctor, malignant=1)
    services.add_cases(reader_study, [(str(signed_case(department).pk), "benign") for _ in range(2)], administrator)
    services.add_reader(reader_study, doctor, administrator)
    services.start(reader_study, administrator)
    with pytest.raises(Conflict) as refused:
        case_draw.draw_cases(reader_study, by=administrator, malignant=1)
    assert refused.value.code == "not_a_draft"


def test_the_page_draws_and_shows_the_seed_in_draft_and_results(admin, administrator, department, doctor, reader_study):
    cases = [closed_case(department), closed_case(department, "normal")]
    answer = post(admin, reader_study, malignant="1", benign="", normal="1", until="2026-12-31")
    shown = answer.content.decode()
    reader_study.refresh_from_db()
    seed = reader_study.draws[0]["seed"]
    for words in (
        "Cases drawn.",
        f"Seed {seed}",
        "2 cases drawn: 1 malignant, 0 benign, 1 normal.",
        *drawn(reader_study),
    ):
        assert str(words) in shown
    assert {case.pk for case in cases} == set(drawn(reader_study))
    services.add_reader(reader_study, doctor, administrator)
    services.start(reader_study, administrator)
    services.close(reader_study, administrator)
    assert f"Seed {seed}" in admin.get(reverse("analyses:reader_study", args=[reader_study.pk])).content.decode()


def test_draft_and_results_say_how_many_drawn_cases_were_taken_out(
    admin, administrator, department, doctor, reader_study
):
    for truth in ("malignant", "normal"):
        for _ in range(3):
            closed_case(department, truth)
    case_draw.draw_cases(reader_study, by=administrator, malignant=3)
    case_draw.draw_cases(reader_study, by=administrator, normal=3)
    back = reader_study.cases.get(number=1).case_id
    services.remove_case(reader_study, 1, administrator)
    page = reverse("analyses:reader_study", args=[reader_study.pk])
    (first, _second) = listed(admin, page)
    assert first.startswith("3 cases drawn: 3 malignant, 0 benign, 0 normal.")
    assert "1 drawn case was removed afterwards." in first
    services.add_cases(reader_study, [(str(back), "malignant")], administrator)
    services.remove_case(reader_study, 3, administrator)
    services.add_reader(reader_study, doctor, administrator)
    services.start(reader_study, administrator)
    services.close(reader_study, administrator)
    first, second = listed(admin, page)
    assert "2 drawn cases were removed afterwards." in first
    assert "removed" not in second


def test_a_draw_kept_by_an_earlier_version_is_still_shown(admin, administrator, department, reader_study):
    closed_case(department)
    case_draw.draw_cases(reader_study, by=administrator, malignant=1)
    services.remove_case(reader_study, 1, administrator)
    reader_study.refresh_from_db()
    del reader_study.draws[0]["rows"]
    reader_study.save()
    (shown,) = listed(admin, reverse("analyses:reader_study", args=[reader_study.pk]))
    assert "1 case drawn: 1 malignant, 0 benign, 0 normal." in shown
    assert "removed" not in shown


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"malignant": "2"}, "Only 1 matching case is available. Nothing was drawn."),
        ({"malignant": "1", "benign": "1"}, "No matching case is available. Nothing was drawn."),
        ({}, "Enter the number of cases to draw."),
        ({"malignant": "many"}, "Enter a whole number."),
        ({"malignant": "1", "since": "soon"}, "Enter a valid date."),
    ],
)
def test_a_refused_draw_is_told_on_the_page_and_draws_nothing(admin, department, reader_study, body, says):
    closed_case(department)
    answer = post(admin, reader_study, **body)
    assert (answer.status_code, says in answer.content.decode()) == (400, True)
    reader_study.refresh_from_db()
    assert (drawn(reader_study), reader_study.draws) == ({}, [])
