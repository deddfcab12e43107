"""Areas, DeLong covariances and the Obuchowski-Rockette analysis: published figures, and a brute force."""

import csv

import numpy as np
import pytest
from scipy import stats

from analyses.statistics.auc import NotEstimable, empirical_auc, midranks, roc_points
from analyses.statistics.delong import auc_with_covariance, share_with_covariance
from analyses.statistics.obuchowski_rockette import Analysis, analyse, bounded
from analyses.tests.brute_force import brute_analysis, brute_area, brute_covariance

SIX_DIGITS = {"rel": 5e-7}


def analyse_auc(scores: np.ndarray, positive: np.ndarray, *, readers: str = "random") -> Analysis:
    """Compare the areas of scores (T, R, n): modalities, readers, cases."""
    modalities, count, cases = scores.shape
    figures, covariance = auc_with_covariance(scores.reshape(modalities * count, cases), positive)
    return analyse(figures.reshape(modalities, count), covariance, readers=readers)


# --- the published study --------------------------------------------------------------------------------------
@pytest.fixture
def vandyke(data_dir):
    path = data_dir / "mrmc" / "vandyke.csv"
    if not path.is_file():
        pytest.skip("the published reader study mrmc/vandyke.csv is absent")
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    scores, positive = np.full((2, 5, 114), np.nan), np.zeros(114, dtype=bool)
    for row in rows:
        case = int(row["case"]) - 1
        scores[int(row["treatment"]) - 1, int(row["reader"]) - 1, case] = float(row["rating"])
        positive[case] = row["truth"] == "1"
    assert positive.sum() == 45
    return scores, positive


def test_the_published_figures_come_out_to_six_digits(vandyke):
    found = analyse_auc(*vandyke)
    parts, difference = found.components, found.differences[0]
    published = {
        "ms_treatment": (parts.ms_treatment, 0.004796171),
        "ms_treatment_reader": (parts.ms_treatment_reader, 0.0005510306),
        "error": (parts.error_variance, 0.0007921325),
        "cov1": (parts.cov1, 0.0003420090),
        "cov2": (parts.cov2, 0.0003395265),
        "cov3": (parts.cov3, 0.0002358497),
        "F": (found.statistic, 4.484854),
        "df": (found.df2, 15.06611),
        "p": (found.p, 0.05123303),
        "difference": (difference.result.estimate, -0.04380032),
        "standard error": (difference.result.standard_error, 0.0206825),
        "low": (difference.result.low, -0.0878672),
        "first": (found.modalities[0].estimate, 0.8970370),
        "first low": (found.modalities[0].low, 0.8253461),
        "first high": (found.modalities[0].high, 0.9687280),
        "second": (found.modalities[1].estimate, 0.9408374),
        "second low": (found.modalities[1].low, 0.8942155),
        "second high": (found.modalities[1].high, 0.9874592),
    }
    wrong = {name: pair for name, pair in published.items() if pair[0] != pytest.approx(pair[1], **SIX_DIGITS)}
    assert wrong == {}
    # Published with four significant digits only.
    assert difference.result.high == pytest.approx(0.0002666, abs=5e-8)
    assert difference.p == pytest.approx(found.p, rel=1e-12)


# --- a brute force, by definition and by loops (brute_force.py) -----------------------------------------------
def made_study(seed: int, modalities: int = 2, readers: int = 3, cases: int = 24) -> tuple[np.ndarray, np.ndarray]:
    """Ratings from 0 to 10 with many ties; later modalities separate better."""
    rng = np.random.default_rng(seed)
    positive = np.arange(cases) % 3 == 0
    latent = rng.normal(size=cases) + 1.0 * positive
    noise = rng.normal(size=(modalities, readers, cases))
    lift = 0.5 * np.arange(modalities)[:, None, None] * positive
    return np.clip(np.round(5 + 2 * (latent + lift + noise)), 0, 10), positive


@pytest.mark.parametrize(("seed", "modalities", "readers"), [(1, 2, 3), (2, 2, 5), (3, 3, 4), (4, 2, 2), (13, 2, 3)])
def test_the_analysis_equals_a_brute_force(seed, modalities, readers):
    scores, positive = made_study(seed, modalities, readers)
    wanted = brute_analysis(scores, positive)
    found = analyse_auc(scores, positive)
    first = found.differences[0]
    got = {
        "F": found.statistic,
        "df2": found.df2,
        "p": found.p,
        "difference": first.result.estimate,
        "half": first.result.high - first.result.estimate,
    }
    fixed = analyse_auc(scores, positive, readers="fixed")
    got |= {"chi2": fixed.statistic, "fixed_half": fixed.differences[0].result.high - first.result.estimate}
    assert got == {name: pytest.approx(wanted[name], rel=1e-9, abs=1e-12) for name in got}
    assert found.df1 == modalities - 1
    assert len(found.differences) == modalities * (modalities - 1) // 2


def test_the_bound_at_equal_covariances_is_met_by_a_case_that_needs_it():
    """Without the bound the denominator would shrink: the study is chosen so that Cov2 - Cov3 is negative."""
    seed = next(n for n in range(500) if brute_analysis(*made_study(n, 2, 2))["excess"] < -1e-4)
    found = analyse_auc(*made_study(seed, 2, 2))
    assert found.components.cov2 < found.components.cov3
    assert found.statistic == pytest.approx(found.components.ms_treatment / found.components.ms_treatment_reader)
    assert found.df2 == pytest.approx(1)


def test_delong_equals_its_definition():
    scores, positive = made_study(5)
    flat = scores.reshape(6, -1)
    areas, covariance = auc_with_covariance(flat, positive)
    assert areas == pytest.approx([brute_area(row, positive) for row in flat])
    wanted = [[brute_covariance(a, b, positive) for b in flat] for a in flat]
    assert covariance == pytest.approx(np.array(wanted))


def test_ties_count_one_half_and_midranks_share_the_mean():
    positive = np.array([True, True, False, False])
    assert empirical_auc(np.array([5, 5, 5, 5]), positive) == pytest.approx([0.5])
    assert empirical_auc(np.array([9, 5, 5, 1]), positive) == pytest.approx([0.875])
    assert midranks(np.array([30, 10, 10, 20])).tolist() == [4, 1.5, 1.5, 3]


def test_one_modality_has_the_interval_of_its_own_readers():
    scores, positive = made_study(6)
    found = analyse_auc(scores, positive).modalities[1]
    own = scores[1]
    areas = [brute_area(row, positive) for row in own]
    pairs = [brute_covariance(own[a], own[b], positive) for a in range(3) for b in range(3) if a != b]
    ms_reader = float(np.var(areas, ddof=1))
    spread = ms_reader + 3 * max(0.0, sum(pairs) / 6)
    df = spread**2 / (ms_reader**2 / 2)
    half = float(stats.t.ppf(0.975, df)) * (spread / 3) ** 0.5
    assert (found.df, found.high - found.estimate) == pytest.approx((df, half))


def test_a_sensitivity_is_analysed_like_an_area():
    scores, positive = made_study(7, readers=4)
    calls = (scores >= 6)[:, :, positive].reshape(8, -1)
    shares, covariance = share_with_covariance(calls)
    count = calls.shape[1]
    joint = np.mean(calls[0] & calls[5])
    assert shares == pytest.approx(calls.mean(axis=1))
    assert covariance[0, 5] == pytest.approx((joint - shares[0] * shares[5]) / (count - 1))
    found = analyse(shares.reshape(2, 4), covariance)
    assert found.differences[0].result.estimate == pytest.approx(calls[:4].mean() - calls[4:].mean())


def test_one_class_has_no_area_and_says_so():
    with pytest.raises(NotEstimable) as refused:
        empirical_auc(np.array([1, 2, 3]), np.array([True, True, True]))
    assert refused.value.code == "one_class"


def test_a_single_positive_has_an_area_but_no_error():
    scores, positive = np.array([[3, 1, 2]]), np.array([True, False, False])
    assert empirical_auc(scores, positive) == pytest.approx([1.0])
    with pytest.raises(NotEstimable) as refused:
        auc_with_covariance(scores, positive)
    assert refused.value.code == "few_cases"


def test_one_reader_is_fixed_or_nothing():
    scores, positive = made_study(8, readers=1)
    with pytest.raises(NotEstimable) as refused:
        analyse_auc(scores, positive)
    assert refused.value.code == "few_readers"
    fixed = analyse_auc(scores, positive, readers="fixed")
    (a, b) = (scores[0, 0], scores[1, 0])
    variance = (
        brute_covariance(a, a, positive) + brute_covariance(b, b, positive) - 2 * brute_covariance(a, b, positive)
    )
    assert fixed.differences[0].result.standard_error == pytest.approx(variance**0.5)


def test_readings_without_any_difference_have_no_test():
    scores, positive = made_study(9)
    same = np.broadcast_to(np.where(positive, 9.0, 1.0), scores.shape)
    with pytest.raises(NotEstimable) as refused:
        analyse_auc(same, positive)
    assert refused.value.code == "no_variation"


def test_a_missing_score_is_no_number():
    scores, positive = made_study(10)
    scores[0, 0, 0] = np.nan
    with pytest.raises(ValueError, match="missing"):
        analyse_auc(scores, positive)


def test_the_curve_runs_from_corner_to_corner_with_one_point_for_each_score():
    positive = np.array([True, True, False, False])
    assert roc_points(np.array([9, 5, 5, 1]), positive) == [(0, 0), (0, 0.5), (0.5, 1), (1, 1)]


def test_an_interval_is_cut_for_people_only():
    scores, positive = made_study(11)
    scores = scores + 20.0 * positive * (np.arange(3) != 0)[None, :, None]
    found = analyse_auc(scores, positive).modalities[1]
    assert found.high > 1
    assert bounded(found) == (found.low, 1.0)
