"""Withheld for all: no answer reaches anybody, everything computed is kept, and it works at once."""

from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.urls import reverse
from django.utils import timezone

from accounts.models import AuditEvent
from analyses.errors import Conflict, Invalid
from analyses.evidence.outcomes.tests.test_outcomes import signed_case
from analyses.models import Analysis, ModelHold, Report, Study
from analyses.pipeline import holds, summary
from analyses.registry.uses import TUMOUR_ON_RADIOGRAPHS
from analyses.tests.factories import REGION, SUBTYPES, StudyFactory, result

pytestmark = pytest.mark.django_db
NUMBERS = ("0.80", "0.7", "Suspicious for malignancy", "osteosarcoma")


def hold(administrator) -> ModelHold:
    return holds.withhold_for_all(reason="drift of the grey values", by=administrator)


def lift(administrator) -> ModelHold:
    return holds.lift(reason="scanner repaired", by=administrator)


@pytest.fixture
def answered(department):
    study = StudyFactory(owner=department)
    return result("malignant", study=study, subtypes=SUBTYPES, regions=[REGION], distance=1.2)


def row(analysis: Analysis) -> Analysis:
    return Analysis.objects.select_related("image__study").get(pk=analysis.pk)


def test_a_new_answer_is_stored_as_computed_and_given_to_nobody(analyse, administrator):
    hold(administrator)
    new = analyse()
    assert (new.outcome, new.reason_code, new.withheld_reasons) == (
        "withheld",
        "withheld_for_all",
        ["withheld_for_all"],
    )
    assert (new.probabilities, new.malignant_probability, new.saliency_file) == (None, None, "")
    assert (new.computed["outcome"], new.computed["probabilities"]["malignant"]) == ("malignant", 0.7)
    assert (new.image.study.outcome, new.image.study.malignant_probability) == ("withheld", None)


def test_what_the_gate_refuses_stays_refused():
    refused = {name: None for name in holds.EMPTY} | {"outcome": "not_analysable", "reason_code": "blank_image"}
    assert holds.withheld(refused) == refused


def test_answers_to_unsigned_cases_are_put_away_and_come_back_as_they_were(answered, administrator):
    before = Analysis.objects.filter(pk=answered.pk).values().get()
    revision = answered.image.study.revision
    hold(administrator)
    held = row(answered)
    assert (held.outcome, held.subtypes, held.regions, held.leaning) == ("withheld", [], [], "")
    assert (held.image.study.outcome, held.image.study.revision) == ("withheld", revision + 1)
    lift(administrator)
    assert Analysis.objects.filter(pk=answered.pk).values().get() == before
    assert row(answered).image.study.outcome == "malignant"


def test_a_case_sums_up_to_what_its_films_say_before_during_and_after(department, administrator):
    mixed, refused = StudyFactory(owner=department), StudyFactory(owner=department)
    for outcome in ("benign", "malignant", "not_analysable"):
        result(outcome, study=mixed)
    result("not_analysable", study=refused)

    def sums() -> list:
        return [
            Study.objects.values_list("outcome", "malignant_probability").get(pk=study.pk) for study in (mixed, refused)
        ]

    before = sums()
    assert before == [("malignant", 0.8), ("not_analysable", None)]
    hold(administrator)
    held = sums()
    assert held == [("withheld", None), ("not_analysable", None)]
    for study in (mixed, refused):
        summary.summarise(study)
    assert sums() == held
    lift(administrator)
    assert sums() == before


def test_putting_away_costs_the_same_for_one_case_and_for_many(
    department, administrator, django_assert_max_num_queries
):
    for _ in range(6):
        result("malignant", study=StudyFactory(owner=department))
    ModelHold.objects.create(modality="DX", reason="x", set_by=administrator)
    with django_assert_max_num_queries(12):
        assert holds.apply_to_unsigned() == 6


def test_a_signed_case_keeps_what_its_reader_saw(doctor, administrator):
    study = signed_case(doctor)
    before = Analysis.objects.filter(image__study=study).values().get()
    hold(administrator)
    assert Analysis.objects.filter(image__study=study).values().get() == before


def test_a_case_signed_during_a_hold_stays_withheld(answered, administrator):
    hold(administrator)
    Study.objects.filter(pk=answered.image.study_id).update(reading_state="final")
    lift(administrator)
    assert (row(answered).outcome, row(answered).computed["outcome"]) == ("withheld", "malignant")


def test_an_answer_that_was_being_stored_while_the_hold_came_is_put_away_too(answered, administrator):
    # As for a worker that asked before the hold was there and commits after everything was put away.
    ModelHold.objects.create(modality="DX", reason="x", set_by=administrator)
    assert row(answered).outcome == "malignant"
    holds.withhold_late_answer(answered.pk, TUMOUR_ON_RADIOGRAPHS)
    assert row(answered).outcome == "withheld"


def test_a_worker_looks_again_once_its_answer_is_committed(
    analyse,
    administrator,
    monkeypatch,
    django_capture_on_commit_callbacks,
):
    monkeypatch.setattr(holds, "stored_fields", lambda fields, use: fields)
    ModelHold.objects.create(modality="DX", reason="x", set_by=administrator)
    with django_capture_on_commit_callbacks(execute=True):
        new = analyse()
    assert row(new).outcome == "withheld"


def test_the_sweeper_settles_what_was_left_half_way(answered, administrator):
    made = ModelHold.objects.create(modality="DX", reason="x", set_by=administrator)
    assert (holds.apply_to_unsigned(), holds.apply_to_unsigned()) == (1, 0)
    ModelHold.objects.filter(pk=made.pk).update(lifted_at=timezone.now())
    assert (holds.apply_to_unsigned(), row(answered).outcome) == (1, "malignant")


def test_without_a_hold_an_answer_costs_one_question_more(django_assert_num_queries):
    with django_assert_num_queries(1):
        assert holds.stored_fields({"outcome": "benign"}, TUMOUR_ON_RADIOGRAPHS) == {"outcome": "benign"}


def test_a_report_issued_before_is_superseded(answered, administrator):
    study = answered.image.study
    report = Report.objects.create(
        study=study, revision=study.revision, kind="preliminary", pdf_file="x", pdf_sha256="a" * 64, pdf_size_bytes=1,
        verification_code="A",
    )  # fmt: skip
    hold(administrator)
    report.refresh_from_db()
    assert report.state == "superseded"


def test_setting_and_lifting_are_recorded_with_reason_and_refused_twice(answered, administrator):
    hold(administrator)
    with pytest.raises(Conflict, match="already"):
        hold(administrator)
    lift(administrator)
    with pytest.raises(Conflict, match="not withheld"):
        lift(administrator)
    events = AuditEvent.objects.filter(action__in=("withhold_for_all", "lift_hold")).order_by("id")
    assert [event.detail["reason"] for event in events] == ["drift of the grey values", "scanner repaired"]
    with pytest.raises(Invalid):
        holds.withhold_for_all(reason="  ", by=administrator)


@pytest.mark.parametrize("who", ["doctor", "clerk", "auditor", "api_client"])
def test_nobody_but_an_administrator_may(request, who):
    with pytest.raises(PermissionDenied):
        holds.withhold_for_all(reason="x", by=request.getfixturevalue(who))


def test_pages_lists_export_and_api_give_nothing_of_a_held_answer(client, doctor, answered, administrator, token):
    study = answered.image.study
    pages = ("/cases/", "/cases/export.csv", f"/cases/{study.pk}/")
    client.force_login(doctor)

    def seen(url: str, **headers) -> str:
        answer = client.get(url, **headers)
        return b"".join(answer).decode() if answer.streaming else answer.content.decode()

    texts = [seen(url) for url in pages]
    assert all("0.80" in text or "0.8000" in text for text in texts)
    hold(administrator)
    for url in pages:
        # The head of the list offers every outcome as a filter.
        shown = seen(url).split("</thead>")[-1]
        assert not [word for word in NUMBERS if word in shown], url
    assert "currently withheld for all films" in seen(f"/cases/{study.pk}/")
    assert client.get(reverse("analyses:film_saliency", args=[answered.pk])).status_code == 404
    Analysis.objects.update(api_token=doctor.api_tokens.first())
    body = client.get(f"/api/v1/analyses/{answered.pk}/").json()["result"]
    assert (body["outcome"], body["reason_code"], body["probabilities"]) == ("withheld", "withheld_for_all", None)
    assert (body["regions"], body["subtypes"], body["leaning"]) == ([], [], None)


def test_every_page_says_so_and_one_click_with_a_reason_sets_and_lifts_it(client, administrator, doctor, answered):
    client.force_login(administrator)
    assert "is withheld for all" not in client.get("/admin/models/").content.decode()
    assert client.post("/admin/models/withhold/", {"reason": ""}).status_code == 400
    answer = client.post("/admin/models/withhold/", {"reason": "drift"}, follow=True)
    assert "The model is withheld for all" in answer.content.decode()
    assert client.post("/admin/models/withhold/", {"reason": "again"}).status_code == 409
    client.force_login(doctor)
    for url in ("/cases/", "/model/", f"/cases/{answered.image.study_id}/", "/upload/"):
        assert "The model is withheld for all" in client.get(url).content.decode()
    client.force_login(administrator)
    text = client.post("/admin/models/lift/", {"reason": "repaired"}, follow=True).content.decode()
    assert "The model answers again." in text
    assert "The model is withheld for all users." not in text
    assert client.post("/admin/models/lift/", {"reason": "again"}).status_code == 409


def test_the_reason_survives_in_the_history(client, administrator):
    hold(administrator)
    ModelHold.objects.update(set_at=timezone.now() - timedelta(days=2))
    lift(administrator)
    client.force_login(administrator)
    text = client.get("/admin/models/").content.decode()
    assert all(words in text for words in ("drift of the grey values", "scanner repaired", "1 so far"))


def test_input_figures_are_stored_with_the_answer(analyse):
    seen = analyse().input_stats
    assert set(seen) == {"grey_mean", "grey_spread", "megapixels"}
    assert (round(seen["grey_mean"]), seen["megapixels"]) == (128, 0.0051)
