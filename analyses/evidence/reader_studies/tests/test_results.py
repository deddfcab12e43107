"""The results of a reader study: a small one played on the pages against a separate calculation, and its edges."""

from datetime import timedelta

import numpy as np
import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.services import deactivate
from accounts.tests.factories import UserFactory
from analyses.evidence.reader_studies import results, services
from analyses.evidence.reader_studies.tests import plain_judge, read_session, signed_case, started
from analyses.models import ReaderStudy, ReaderStudyReading
from analyses.tests.brute_force import brute_analysis, brute_area, brute_covariance

pytestmark = pytest.mark.django_db
# With the answer first: differences are those of with less without.
CONDITIONS = ("with", "without")


def text(answer) -> str:
    return answer.content.decode()


def signed_in(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


def page_of(reader_study) -> str:
    return reverse("analyses:reader_study", args=[reader_study.pk])


def finish(reader_study, judge=plain_judge) -> ReaderStudy:
    """Read both sessions of every reader without waiting, and close."""
    for reader in reader_study.readers.select_related("user", "reader_study"):
        read_session(reader, judge)
        reader.refresh_from_db()
        read_session(reader, judge)
    services.close(reader_study, reader_study.created_by)
    reader_study.refresh_from_db()
    return reader_study


# --- a reader study played from end to end ---------------------------------------------------------------------------
def made_scores(cases: int, readers: int) -> tuple[np.ndarray, np.ndarray]:
    """Likelihoods (2, readers, cases) and truth; with the answer they separate better."""
    rng = np.random.default_rng(12)
    positive = np.arange(cases) % 2 == 0
    latent = rng.normal(size=cases) * 8 + np.where(positive, 58, 42)
    noise = rng.normal(size=(2, readers, cases)) * 14
    lift = np.array([8, 0])[:, None, None] * np.where(positive, 1, -1)
    return np.clip(np.round(latent + lift + noise, -1), 0, 100), positive


def play(client, reader_study, scores) -> int:
    """Read on the pages until there is no further case now: the likelihood of ``scores`` decides the word."""
    count = 0
    answer = client.get(reverse("analyses:reader_study_read", args=[reader_study.pk]))
    while answer.context.get("reading"):
        row = answer.context["reading"]
        score = scores[CONDITIONS.index(row.condition), row.reader.number - 1, row.study_case.number - 1]
        body = {"reading": "cannot_tell"}
        if not np.isnan(score):
            body = {"reading": "malignant" if score >= 50 else "benign", "likelihood": f"{score:.0f}"}
        answer = client.post(reverse("analyses:reader_study_submit", args=[row.pk]), body, follow=True)
        count += 1
    return count


def test_a_small_reader_study_played_on_the_pages_shows_the_figures_of_a_separate_calculation(
    administrator, department
):
    scores, positive = made_scores(12, 3)
    scores[1, 2, 4] = np.nan  # reader 3 cannot tell on case 5 without the answer
    with time_machine.travel(timezone.now(), tick=False) as clock:
        admin = signed_in(administrator)
        body = {"name": "Played", "department": department.pk, "washout_days": "28"}
        admin.post(reverse("analyses:reader_studies"), body)
        reader_study = ReaderStudy.objects.get()
        lines = [f"{signed_case(department).pk},{'malignant' if sick else 'benign'}" for sick in positive]
        admin.post(reverse("analyses:reader_study_cases", args=[reader_study.pk]), {"lines": "\n".join(lines)})
        for _ in range(3):
            doctor = UserFactory(department=department, roles=["doctor"])
            admin.post(reverse("analyses:reader_study_readers", args=[reader_study.pk]), {"reader": str(doctor.pk)})
        admin.post(reverse("analyses:reader_study_start", args=[reader_study.pk]))
        for wanted in (12, 12):
            for reader in reader_study.readers.select_related("user"):
                assert play(signed_in(reader.user), reader_study, scores) == wanted
            clock.shift(timedelta(days=28))
        admin = signed_in(administrator)
        admin.post(reverse("analyses:reader_study_close", args=[reader_study.pk]))
        shown = text(admin.get(page_of(reader_study)))

    kept = ~np.isnan(scores).any(axis=(0, 1))
    assert kept.sum() == 11
    scores, positive = scores[:, :, kept], positive[kept]
    wanted = brute_analysis(scores, positive)
    areas = np.array([[brute_area(row, positive) for row in condition] for condition in scores])
    low, high = wanted["difference"] - wanted["half"], wanted["difference"] + wanted["half"]
    expected = [f"<b>{value:.3f}</b>" for value in areas.mean(axis=1)]
    expected += [f"<b>{value:.3f}</b>" for value in areas.ravel()]
    expected += [f"{low:+.3f} to {high:+.3f}".replace("-", "−"), f"{wanted['difference']:+.3f}".replace("-", "−")]
    expected += [f">{wanted['p']:.3f}<", f"{wanted['F']:.7g}", f"{wanted['df2']:.7g}"]
    expected += ["1 case of 12 excluded", "11 cases (5 malignant)", "Small sample: 5 malignant and 6 other cases"]
    fixed = wanted["difference"] - wanted["fixed_half"], wanted["difference"] + wanted["fixed_half"]
    expected += [f"{fixed[0]:+.3f} to {fixed[1]:+.3f}".replace("-", "−")]
    for row, own in zip(scores.reshape(6, -1), areas.ravel(), strict=True):
        half = 1.959964 * brute_covariance(row, row, positive) ** 0.5
        expected.append(f"{max(0, own - half):.3f} to {min(1, own + half):.3f}" if half else "no interval")
    assert [words for words in expected if words not in shown] == []


# --- figures that need more cases -----------------------------------------------------------------------------
def analysed(scores: np.ndarray, calls: np.ndarray, positive: np.ndarray) -> list[results.Comparison]:
    return results._comparisons(results.Scores(scores, calls, positive))


def test_sensitivity_and_specificity_are_compared_over_readers_and_cases_alike():
    scores, positive = made_scores(40, 4)
    calls = scores >= 50
    _, sensitivity, specificity = analysed(scores, calls, positive)
    sick = calls[:, :, positive].mean(axis=2)
    well = (~calls[:, :, ~positive]).mean(axis=2)
    for found, wanted in ((sensitivity, sick), (specificity, well)):
        assert found.random.figures == pytest.approx(wanted)
        assert found.random.differences[0].result.estimate == pytest.approx(wanted[0].mean() - wanted[1].mean())


def test_rates_of_few_cases_are_not_shown():
    scores, positive = made_scores(18, 3)
    _, sensitivity, specificity = analysed(scores, scores >= 50, positive)
    assert (sensitivity.random, specificity.random) == (None, None)
    assert "Fewer than 10 cases" in sensitivity.not_estimable
    assert results.Share(3, 9).rate is None
    assert results.Share(3, 10).rate == 0.3


def test_a_readers_rates_times_and_uncertain_cases_stand_in_the_results(administrator, department):
    def judge(row):
        if row.condition == "without" and row.study_case.number == 2:
            return "cannot_tell", None
        return plain_judge(row)

    reader_study = started(department, administrator, cases=6, readers=2, washout_days=0)
    reader_study = finish(reader_study, judge)
    start = timezone.now()
    for seconds, row in enumerate(ReaderStudyReading.objects.filter(reader__number=1, condition="with"), start=1):
        row.opened_at, row.submitted_at = start, start + timedelta(seconds=10 * seconds)
        row.save()
    found = results.results_of(reader_study)
    with_answer, without = found.readers[0].conditions
    assert (with_answer.condition, with_answer.median_s, with_answer.cannot_tell) == ("with", 35.0, 0)
    assert (without.condition, without.cannot_tell, without.read) == ("without", 1, 6)
    assert (found.dropped, found.malignant, found.others) == (1, 3, 2)
    assert (with_answer.sensitivity, with_answer.specificity) == (results.Share(3, 3), results.Share(2, 2))


# --- edges ----------------------------------------------------------------------------------------------------
def test_an_incomplete_reader_is_named_and_left_out_of_the_analysis(administrator, department):
    reader_study = started(department, administrator, cases=4, readers=3, washout_days=0)
    complete = list(reader_study.readers.select_related("user", "reader_study"))
    leaving = complete.pop(1)
    read_session(leaving, lambda row: ("malignant", 50), limit=3)
    deactivate(leaving.user, by=administrator)
    for reader in complete:
        read_session(reader)
        read_session(reader)
    services.close(reader_study, administrator)
    reader_study.refresh_from_db()
    found = results.results_of(reader_study)
    assert "Reader 2 was not analysed: 5 readings are missing." in found.warnings
    assert [row.reader.number for row in found.complete] == [1, 3]
    # Two readers who are always right leave no error to estimate.
    assert "No test" in found.comparisons[0].not_estimable
    assert found.comparisons[0].means == [1.0, 1.0]
    assert [row.conditions[0].area is None for row in found.readers] == [False, True, False]
    shown = text(signed_in(administrator).get(page_of(reader_study)))
    assert "1.000 to 1.000" not in shown
    for words in ("incomplete, 5 missing", "deactivated", "Reader 2 was not analysed", "no interval"):
        assert words in shown


def test_a_reader_study_closed_without_a_complete_reader_has_no_analysis(administrator, department):
    reader_study = started(department, administrator)
    services.close(reader_study, administrator)
    answer = signed_in(administrator).get(page_of(reader_study))
    assert "no reader has read every case in both conditions" in text(answer)
    assert "No analysis" in text(answer)
    assert answer.context["results"].comparisons == []


def test_a_reader_study_of_one_class_has_no_area_and_says_so(administrator, department):
    reader_study = services.create_reader_study(name="x", department=department, washout_days=0, by=administrator)
    services.add_cases(reader_study, [(str(signed_case(department).pk), "malignant") for _ in range(3)], administrator)
    for _ in range(2):
        services.add_reader(reader_study, UserFactory(department=department, roles=["doctor"]), administrator)
    services.start(reader_study, administrator)
    reader_study.refresh_from_db()
    answer = signed_in(administrator).get(page_of(finish(reader_study)))
    assert "All analysed cases belong to one class, so no area under the curve can be calculated." in text(answer)
    assert "ROC curves" not in text(answer)
    assert answer.context["results"].comparisons[0].random is None


def test_a_case_that_everybody_could_not_tell_leaves_nothing_to_analyse(administrator, department):
    reader_study = started(department, administrator, cases=2, readers=1, washout_days=0)
    answer = signed_in(administrator).get(page_of(finish(reader_study, lambda row: ("cannot_tell", None))))
    found = answer.context["results"]
    assert (found.dropped, found.analysed) == (2, 0)
    assert "2 cases of 2 excluded" in text(answer)


def test_one_reader_is_analysed_as_this_reader_only(administrator, department):
    def judge(row):
        return "benign", (row.study_case.number * 37 + (row.condition == "with") * 29) % 100

    reader_study = started(department, administrator, cases=6, readers=1, washout_days=0)
    answer = signed_in(administrator).get(page_of(finish(reader_study, judge)))
    comparison = answer.context["results"].comparisons[0]
    assert comparison.random is None
    assert comparison.fixed is not None
    assert "does not allow conclusions about readers in general" in text(answer)
    assert "Fewer than three complete readers" in text(answer)


def test_a_waived_washout_stands_in_the_results(administrator, department):
    reader_study = started(department, administrator)
    services.waive_washout(reader_study.readers.first(), "leaves", administrator)
    services.close(reader_study, administrator)
    assert "The wash-out of reader 1 was waived." in results.results_of(reader_study).warnings


def test_curves_are_drawn_for_both_conditions_of_every_complete_reader(administrator, department):
    reader_study = finish(started(department, administrator, cases=4, readers=2, washout_days=0))
    shown = text(signed_in(administrator).get(page_of(reader_study)))
    assert shown.count('class="reader-study-curve"') == 2
    assert shown.count("reader-study-curve--without") == 2
    assert "style=" not in shown


def test_the_seed_is_shown_when_the_reader_study_is_closed(administrator, department):
    reader_study = started(department, administrator)
    services.close(reader_study, administrator)
    assert reader_study.seed in text(signed_in(administrator).get(page_of(reader_study)))


def test_scores_are_laid_out_by_condition_reader_and_case(administrator, department):
    def judge(row):
        return "benign", 10 * row.study_case.number + row.reader.number + 5 * (row.condition == "with")

    reader_study = finish(started(department, administrator, cases=3, readers=2, washout_days=0), judge)
    rows = list(ReaderStudyReading.objects.select_related("study_case"))
    found = results._scores(list(reader_study.readers.all()), rows)
    assert found.likelihood.tolist() == [[[16, 26, 36], [17, 27, 37]], [[11, 21, 31], [12, 22, 32]]]
    assert found.positive.tolist() == [True, False, True]
    assert not found.calls.any()
