"""The comparison of a window with its reference: how often it alarms falsely, and what it finds."""

import numpy as np
import pytest

from inference.shift import bins as drift
from inference.shift.bins import CUTS, compare, holm, of_categories, of_quantiles, of_shares, of_values

WINDOW, LEVEL = 100, 0.01


def references(rng):
    """Samples of a site as card and first local films give them, each with a way to draw a window of the same site."""
    card = rng.normal(size=(1743, 2))
    distance = rng.gamma(4, size=596)
    leaning = rng.multinomial(1743, (0.54, 0.32, 0.14))
    withheld = rng.binomial(1743, 0.34) / 1743
    parts = rng.choice(["knee", "hip", "foot", "rare"], p=(0.5, 0.28, 0.2, 0.02), size=200)
    size = rng.choice([2.0, 4.0, 9.0], p=(0.6, 0.3, 0.1), size=200)
    return [
        (of_quantiles(np.quantile(card[:, 0], CUTS), 1743), lambda n: rng.normal(size=n)),
        (of_quantiles(np.quantile(card[:, 1], CUTS), 1743), lambda n: rng.normal(size=n)),
        (of_quantiles(np.quantile(distance, CUTS), 596), lambda n: rng.gamma(4, size=n)),
        (
            of_shares(dict(zip("nbm", leaning / 1743, strict=True)), 1743),
            lambda n: rng.choice(list("nbm"), p=(0.54, 0.32, 0.14), size=n),
        ),
        (of_shares({"yes": withheld, "no": 1 - withheld}, 1743), lambda n: np.where(rng.random(n) < 0.34, "yes", "no")),
        (
            of_categories(parts),
            lambda n: rng.choice(["knee", "hip", "foot", "rare"], p=(0.5, 0.28, 0.2, 0.02), size=n),
        ),
        (of_values(size), lambda n: rng.choice([2.0, 4.0, 9.0], p=(0.6, 0.3, 0.1), size=n)),
    ]


def test_a_window_without_drift_alarms_about_as_often_as_stated():
    rng = np.random.default_rng(5)
    sites, windows, alarms = 60, 40, 0
    for _ in range(sites):
        site = references(rng)
        for _ in range(windows):
            p_values = [compare(draw(WINDOW), reference).p for reference, draw in site]
            alarms += min(holm(p_values)) <= LEVEL
    rate = alarms / (sites * windows)
    # 2,400 windows: a true rate of 0.01 lies in this range but for once in a thousand times.
    assert 0.002 <= rate <= 0.0175, rate


@pytest.mark.parametrize(
    ("shift", "least"),
    [(0.3, 0.03), (0.5, 0.55), (0.8, 0.97)],
)
def test_a_shift_of_the_grey_values_is_found_in_the_first_whole_window(shift, least):
    rng = np.random.default_rng(6)
    reference = of_quantiles(np.quantile(rng.normal(size=1743), CUTS), 1743)
    quiet = [0.5] * 9  # nine other figures that show nothing
    found = [holm([compare(rng.normal(size=WINDOW) + shift, reference).p, *quiet])[0] <= LEVEL for _ in range(200)]
    assert np.mean(found) >= least


def test_a_rise_of_the_withheld_share_is_found():
    rng = np.random.default_rng(7)
    reference = of_shares({"yes": 0.339, "no": 0.661}, 1743)
    found = []
    for _ in range(200):
        window = np.where(rng.random(WINDOW) < 0.6, "yes", "no")
        found.append(holm([compare(window, reference).p, *[0.5] * 9])[0] <= LEVEL)
    assert np.mean(found) >= 0.95


def test_the_adjusted_p_values_are_those_of_holm():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []


def test_the_stability_index_is_the_textbooks():
    found = compare(["a"] * 60 + ["b"] * 40, of_shares({"a": 0.5, "b": 0.5}, 1000))
    assert found.psi == pytest.approx(0.1 * np.log(1.2) - 0.1 * np.log(0.8))
    assert found.observed == (0.6, 0.4)


def test_a_p_value_is_the_share_of_quiet_windows_that_differ_as_much():
    # With a reference of a million films the truth is known, and the binomial distribution gives the share exactly.
    reference = of_shares({"a": 0.5, "b": 0.5}, 1_000_000)
    exact = 2 * 0.5**100 * sum(np.prod([(100 - i) / (k - i) for i in range(k)]) for k in range(0, 41))
    assert compare(["a"] * 60 + ["b"] * 40, reference).p == pytest.approx(exact, abs=0.005)
    # A small reference says less: the same difference is less surprising.
    assert compare(["a"] * 60 + ["b"] * 40, of_shares({"a": 0.5, "b": 0.5}, 200)).p > 1.5 * exact


def test_films_of_one_size_make_a_bin_of_their_own():
    reference = of_values([4.0] * 200)
    assert compare([4.0] * 100, reference).p > 0.1
    for other in (3.0, 5.0):
        assert compare([other] * 100, reference).p < 0.001


def test_what_the_reference_never_saw_counts_as_other():
    reference = of_categories(["knee"] * 150 + ["hip"] * 50)
    assert reference.labels == ("hip", "knee", drift.OTHER)
    assert compare(["knee"] * 75 + ["hip"] * 25, reference).p > 0.1
    assert compare(["skull"] * 20 + ["knee"] * 60 + ["hip"] * 20, reference).p < 0.001


def test_the_same_window_gives_the_same_p_value_again():
    values = list(np.random.default_rng(1).normal(size=100))
    reference = of_quantiles([-1.64, -0.67, 0.0, 0.67, 1.64], 1743)
    first = compare(values, reference)
    drift._null.cache_clear()
    assert compare(values, reference) == first


@pytest.mark.parametrize(("films", "low", "high"), [(1, 0.0, 0.035), (4, 0.15, 1.0)])
def test_the_level_holds_for_one_film_of_each_patient_and_not_for_several(films, low, high):
    """Eight quantities of 100 films; those of one patient share four fifths of their variance."""
    rng = np.random.default_rng(12)
    found = []
    for _ in range(150):
        references = [of_quantiles(np.quantile(rng.normal(size=1743), CUTS).tolist(), 1743) for _ in range(8)]
        own = rng.normal(size=(8, WINDOW // films, 1)) * np.sqrt(0.8)
        values = (own + rng.normal(size=(8, WINDOW // films, films)) * np.sqrt(0.2)).reshape(8, WINDOW)
        ps = [compare(list(row), reference).p for row, reference in zip(values, references, strict=True)]
        found.append(min(holm(ps)) <= LEVEL)
    assert low <= np.mean(found) <= high
