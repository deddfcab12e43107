"""The case page of a doctor who reads first: begin, keep, lock, reveal, sign; two tabs, clicks, lost sessions."""

import json

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Department
from accounts.tests.factories import UserFactory
from analyses.models import Analysis, ReadingRevision, ReadingState, Review, Study, UnaidedReading
from analyses.pipeline import queue, summary
from analyses.pipeline.reanalysis import reanalyse_case
from analyses.reading import services as reading
from analyses.tests.factories import ADVISED, REGION, AnalysisFactory, ImageFactory, result

pytestmark = pytest.mark.django_db
CONTENT = {"reading": "benign", "likelihood": "20", "region": ""}


@pytest.fixture
def study(doctor) -> Study:
    doctor.department.reading_mode = "own_first"
    doctor.department.save()
    return result("malignant", image__study__owner=doctor.department, regions=[REGION]).image.study


@pytest.fixture
def page(client, doctor) -> Client:
    client.force_login(doctor)
    return client


def at(name: str, study: Study) -> str:
    return reverse(f"analyses:{name}", args=[study.pk])


def shown(page: Client, study: Study) -> str:
    return page.get(at("case", study)).content.decode()


def test_the_film_opens_when_the_reading_begins(page, study):
    before = shown(page, study)
    assert "Begin reading" in before
    assert "image.png" not in before
    assert page.post(at("unaided_open", study)).status_code == 302
    after = shown(page, study)
    assert "image.png" in after
    assert "Lock my reading" in after
    assert "Second opinion" not in after
    assert "outline" not in after.lower()


def test_the_answer_opens_with_the_lock_and_the_final_reading_starts_from_the_own_one(page, study):
    page.post(at("unaided_open", study))
    assert page.post(at("unaided_lock", study), CONTENT).status_code == 302
    after = shown(page, study)
    assert "Second opinion" in after
    assert "Suspicious for malignancy" in after
    assert "<strong>Benign</strong>, likelihood of malignancy 20" in after
    form = page.get(at("case", study)).context["reading_form"]
    assert form.initial == {"version": 0, "reading": "benign", "likelihood": 20}


def test_an_incomplete_lock_is_refused_at_its_field_and_keeps_what_was_typed(page, study):
    page.post(at("unaided_open", study))
    answer = page.post(at("unaided_lock", study), CONTENT | {"likelihood": ""})
    assert answer.status_code == 400
    assert "Enter the likelihood of malignancy" in answer.content.decode()
    assert 'value="benign"' in answer.content.decode()
    assert "Second opinion" not in answer.content.decode()
    answer = page.post(at("unaided_lock", study), CONTENT | {"likelihood": "300"})
    assert answer.status_code == 400
    assert not UnaidedReading.objects.get().is_locked


def test_a_second_tab_cannot_change_what_the_first_has_locked(page, study):
    page.post(at("unaided_open", study))
    page.post(at("unaided_open", study))
    page.post(at("unaided_lock", study), CONTENT)
    assert page.post(at("unaided_lock", study), CONTENT).status_code == 302  # the same click twice
    answer = page.post(at("unaided_lock", study), CONTENT | {"reading": "malignant", "likelihood": "90"})
    assert answer.status_code == 409
    assert "Your unaided reading is locked and cannot be changed." in answer.content.decode()
    kept = page.post(at("unaided_draft", study), CONTENT | {"reading": "malignant"})
    assert (kept.status_code, kept.json()["code"]) == (409, "own_reading_locked")
    assert UnaidedReading.objects.get().reading == "benign"


def test_what_is_typed_is_kept_and_found_again_after_signing_in_anew(page, study, doctor):
    page.post(at("unaided_open", study))
    region = json.dumps({"image": str(study.images.get().pk), "box": [0.1, 0.2, 0.3, 0.4]})
    draft = {"reading": "", "likelihood": "35", "region": region}
    assert page.post(at("unaided_draft", study), draft).json() == {"saved": True}
    page.logout()
    ended = page.post(at("unaided_draft", study), draft, headers={"X-Requested-With": "XMLHttpRequest"})
    assert (ended.status_code, ended.json()["code"]) == (401, "session_expired")
    page.force_login(doctor)
    form = page.get(at("case", study)).context["unaided_form"]
    assert (form.initial["likelihood"], json.loads(form.initial["region"])["box"]) == (35, [0.1, 0.2, 0.3, 0.4])
    assert "film 1, 10 to 30 % from the left, 20 to 40 % from the top" in shown(page, study)


@pytest.mark.parametrize("draft", [{"likelihood": "300"}, {"region": "{"}, {"region": "[1]"}, {"reading": "odd"}])
def test_a_draft_that_cannot_be_kept_says_why(page, study, draft):
    page.post(at("unaided_open", study))
    answer = page.post(at("unaided_draft", study), draft)
    assert answer.status_code == 400
    assert answer.json()["code"] == "bad_field"
    assert list(answer.json()["fields"]) == list(draft)


def test_the_films_of_a_blind_case_stand_as_they_came_and_of_a_revealed_one_by_suspicion(page, study):
    summary.summarise(study)
    later = result("malignant", study=study, malignant_probability=0.95)
    page.post(at("unaided_open", study))
    assert [film.number for film in page.get(at("case", study)).context["films"]] == [1, 2]
    page.post(at("unaided_lock", study), CONTENT)
    context = page.get(at("case", study)).context
    assert [film.number for film in context["films"]] == [2, 1]
    assert context["analysis"].pk == later.pk


def test_the_poll_of_a_blind_case_ends_when_the_film_can_be_seen(page, study):
    film = ImageFactory(study=study)
    running = AnalysisFactory(image=film)
    summary.summarise(study)
    page.post(at("unaided_open", study))
    assert "case-poll" in shown(page, study)
    film.canonical_file = study.images.first().canonical_file
    film.canonical_width_px, film.canonical_height_px = 64, 80
    film.save()
    assert "case-poll" not in shown(page, study)
    # After the lock the page waits for the answer again, and shows it when it comes.
    page.post(at("unaided_lock", study), CONTENT)
    assert "case-poll" in shown(page, study)
    queue.fail(queue.claim(running.pk, "w"), "unreadable", "Export it again.")
    assert "case-poll" not in shown(page, study)


def test_a_newer_answer_is_told_and_not_shown(page, study):
    page.post(at("unaided_open", study))
    page.post(at("unaided_lock", study), CONTENT)
    first = Analysis.objects.get()
    reanalyse_case(study.pk)
    Analysis.objects.exclude(pk=first.pk).update(
        status="succeeded", stage="done", outcome="normal", model_name="bonescan-next", malignant_probability=0.01
    )
    summary.summarise(study)
    text = shown(page, study)
    assert "A newer answer has arrived since" in text
    assert "bonescan-next" not in text
    assert "Suspicious for malignancy" in text


@pytest.mark.parametrize("locks", [True, False])
def test_a_second_analysis_that_fails_is_not_told_as_a_newer_answer(page, study, doctor, locks):
    if locks:
        page.post(at("unaided_open", study))
        page.post(at("unaided_lock", study), CONTENT)
    else:
        Department.objects.filter(pk=doctor.department_id).update(reading_mode="at_once")
    first = Analysis.objects.get()
    reanalyse_case(study.pk)
    again = Analysis.objects.exclude(pk=first.pk).get()
    queue.fail(queue.claim(again.pk, "w"), "unreadable", "Export it again.")
    text = shown(page, study)
    assert "Suspicious for malignancy" in text
    assert "A newer answer has arrived since" not in text
    poll = page.get(reverse("analyses:case_panel", args=[study.pk, again.pk]), {"seen": "1-1"})
    assert poll.status_code == 200, "a page that waited for the second analysis is told that the first stands"
    assert "Suspicious for malignancy" in poll.content.decode()


def test_a_failed_film_that_was_tried_again_after_the_lock_shows_what_stood_then(page, doctor, study):
    failed = result("failed", image__study__owner=doctor.department).image.study
    page.post(at("unaided_open", failed))
    page.post(at("unaided_lock", failed), CONTENT)
    row = Analysis.objects.get(image__study=failed)
    queue.retry(row, doctor)
    Analysis.objects.filter(pk=row.pk).update(status="succeeded", outcome="malignant", malignant_probability=0.9)
    summary.summarise(failed)
    text = shown(page, failed)
    assert "Export it again." in text
    assert "A newer answer has arrived since" in text
    assert "Suspicious for malignancy" not in text


def test_after_the_signature_own_and_final_reading_stand_side_by_side(page, study, doctor):
    page.post(at("unaided_open", study))
    page.post(at("unaided_lock", study), CONTENT)
    answer = page.post(at("case_reading", study), {"reading": "malignant", "recommendation": "refer", "action": "sign"})
    assert answer.status_code in (302, 400)
    if answer.status_code == 400:  # a department may ask for more in its final reading
        reading.save_reading(study, user=doctor, reading="malignant", structure=ADVISED)
        reading.sign(study, doctor)
    text = shown(page, study)
    assert "Towards the model; the answer was shown." in text
    assert "unaided and final reading compared" in text
    assert ReadingRevision.objects.get().direction == "towards"


def test_the_hidden_arm_signs_without_the_answer_and_sees_it_then(page, study, doctor):
    hidden = study
    UnaidedReading.objects.create(study=hidden, reader=doctor, mode="trial", arm="hidden", opened_at=timezone.now())
    page.post(at("unaided_lock", hidden), CONTENT)
    text = shown(page, hidden)
    assert "hides the model's answer until you sign" in text
    assert "Second opinion" not in text
    assert "Sign" in text
    reading.save_reading(hidden, user=doctor, reading="malignant", structure=ADVISED)
    text = shown(page, hidden)
    assert "Agrees with the model" not in text
    assert "Suspicious" not in text
    reading.sign(hidden, doctor)
    text = shown(page, hidden)
    assert "Suspicious for malignancy" in text
    assert "the answer was hidden by the random allocation" in text


def test_a_colleagues_draft_is_not_shown_to_whoever_is_blind(page, study, doctor):
    colleague = UserFactory(department=doctor.department, roles=["doctor"])
    Review.objects.create(study=study, reader=colleague, reading="malignant", impression="As the model says")
    page.post(at("unaided_open", study))
    assert "As the model says" not in shown(page, study)
    page.post(at("unaided_lock", study), CONTENT)
    assert page.get(at("case", study)).context["reading_form"].initial["reading"] == "benign"


def test_a_signed_case_is_open_to_everybody_and_takes_no_unaided_reading(page, study):
    Study.objects.filter(pk=study.pk).update(reading_state=ReadingState.FINAL)
    assert "Begin reading" not in shown(page, study)
    answer = page.post(at("unaided_open", study))
    assert answer.status_code == 409
    assert "An unaided reading is no longer possible" in answer.content.decode()


def test_the_report_says_why_it_waits(page, study):
    assert "It is available after you have locked your unaided reading." in shown(page, study)
    refused = page.get(at("case_report", study))
    assert refused.status_code == 409
    assert "Lock your unaided reading first" in refused.content.decode()
    page.post(at("unaided_open", study))
    page.post(at("unaided_lock", study), CONTENT)
    assert page.get(at("case_report", study)).status_code == 200


def test_at_once_nothing_of_it_is_on_the_page(page, study, doctor):
    doctor.department.reading_mode = "at_once"
    doctor.department.save()
    text = shown(page, study)
    assert "Unaided reading" not in text
    assert "Second opinion" in text
