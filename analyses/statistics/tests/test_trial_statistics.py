"""The comparison of two arms: known effects come back, patients are the unit of chance."""

import math
import random

import pytest

from analyses.statistics.trial import Case, Comparison, compare

# Sensitivity and specificity of the simulated readers in each arm, and what they say of likelihood.
TRUE = {"shown": (0.85, 0.80), "hidden": (0.70, 0.85)}


def case(arm: str, patient: int, **values) -> Case:
    fields = {"reading": "benign", "likelihood": 20.0, "truth": "benign", "changed": False, "total_s": 60.0} | values
    return Case(arm=arm, patient=patient, **fields)


def simulated(seed: int, n: int = 400) -> list[Case]:
    """A trial of n cases with the sensitivities and specificities of TRUE, 15 s faster and 10 % more changes shown."""
    chance = random.Random(seed)
    rows = []
    for number in range(n):
        arm = "shown" if number % 2 else "hidden"
        truth = "malignant" if chance.random() < 0.5 else chance.choice(["normal", "benign"])
        hit, clear = TRUE[arm]
        malignant = chance.random() < (hit if truth == "malignant" else 1 - clear)
        rows.append(
            case(
                arm,
                number // 2 if chance.random() < 0.3 else 1000 + number,
                reading="malignant" if malignant else "benign",
                likelihood=min(100.0, max(0.0, chance.gauss(75 if malignant else 25, 12))),
                truth=truth,
                changed=chance.random() < (0.2 if arm == "shown" else 0.1),
                total_s=chance.gauss(60 if arm == "shown" else 75, 20),
            )
        )
    return rows


def figures(rows: list[Case]) -> dict[str, Comparison]:
    return {comparison.name: comparison for comparison in compare(rows)}


def test_a_simulated_trial_of_400_cases_gives_the_known_effect_within_its_interval():
    found = figures(simulated(20261124))
    known = {"sensitivity": 0.15, "specificity": -0.05, "reading_time_s": -15.0, "changed": 0.10}
    for name, effect in known.items():
        assert found[name].low < effect < found[name].high, name
    assert found["reading_time_s"].high < 0
    assert sum(arm.n for arm in (found["changed"].shown, found["changed"].hidden)) == 400
    assert found["auc"].low < found["auc"].difference < found["auc"].high


def test_the_interval_holds_its_promise_over_many_trials():
    inside = sum(
        found["sensitivity"].low < 0.15 < found["sensitivity"].high
        for found in (figures(simulated(seed)) for seed in range(200))
    )
    assert 0.90 <= inside / 200 <= 0.99


def test_sensitivity_is_a_difference_of_shares_with_the_known_error_where_each_patient_has_one_case():
    rows = [case("shown", n, truth="malignant", reading="malignant" if n < 15 else "benign") for n in range(20)]
    rows += [case("hidden", 100 + n, truth="malignant", reading="malignant" if n < 10 else "benign") for n in range(20)]
    found = figures(rows)["sensitivity"]
    assert (found.shown.value, found.hidden.value) == (0.75, 0.5)
    error = math.sqrt(40 / 39 * (0.75 * 0.25 / 20 + 0.5 * 0.5 / 20))
    assert found.difference == pytest.approx(0.25)
    assert found.high - found.difference == pytest.approx(1.959964 * error)


def test_cases_of_one_patient_say_less_than_cases_of_many():
    many = [case("shown", n, reading="malignant" if n % 2 else "benign") for n in range(40)]
    few = [case("shown", n % 4, reading="malignant" if n % 2 else "benign") for n in range(40)]
    others = [case("hidden", 100 + n, reading="malignant" if n % 2 else "benign") for n in range(40)]
    width = {name: figures(rows + others)["specificity"] for name, rows in (("many", many), ("few", few))}
    assert width["few"].high - width["few"].low > 1.5 * (width["many"].high - width["many"].low)


def test_cannot_tell_is_wrong_in_both_and_has_no_place_in_the_area():
    rows = [
        case(arm, number, truth=truth, reading="cannot_tell", likelihood=None)
        for number, (arm, truth) in enumerate(
            [(arm, truth) for arm in ("shown", "hidden") for truth in ("malignant", "normal") for _ in range(10)]
        )
    ]
    found = figures(rows)
    assert (found["sensitivity"].shown.value, found["specificity"].shown.value) == (0, 0)
    assert (found["auc"].shown.n, found["auc"].difference) == (0, None)


def test_the_area_counts_ties_one_half():
    rows = [
        case(arm, n + 100 * (arm == "shown"), truth="malignant", likelihood=50)
        for arm in ("shown", "hidden")
        for n in range(10)
    ]
    rows += [
        case(arm, 50 + n + 100 * (arm == "shown"), likelihood=50 if arm == "hidden" else n)
        for arm in ("shown", "hidden")
        for n in range(10)
    ]
    found = figures(rows)["auc"]
    assert (found.shown.value, found.hidden.value) == (1.0, 0.5)


def test_what_nobody_signed_or_nobody_knows_is_left_out_and_few_cases_give_no_rate():
    rows = [case("shown", n, reading="", likelihood=None, changed=None, total_s=None) for n in range(20)]
    rows += [case("hidden", 100 + n, truth="") for n in range(9)]
    found = figures(rows)
    assert (found["specificity"].shown.n, found["specificity"].hidden.n) == (0, 0)
    assert (found["changed"].hidden.n, found["changed"].hidden.value) == (9, None)
    assert all(comparison.difference is None for comparison in found.values())


def test_a_patient_with_one_case_in_each_arm_is_compared_with_himself():
    """Where every patient's two cases are alike, the difference of the arms is certain, however patients differ."""
    times = [20.0 * number for number in range(1, 31)]
    alike = [case(arm, number, total_s=time) for number, time in enumerate(times) for arm in ("shown", "hidden")]
    found = figures(alike)["reading_time_s"]
    assert (found.difference, found.low, found.high) == (0, 0, 0)
    apart = [
        case(arm, f"{arm} {number}", total_s=time) for number, time in enumerate(times) for arm in ("shown", "hidden")
    ]
    spread = figures(apart)["reading_time_s"]
    assert spread.high - spread.low > 100


def test_the_interval_of_a_difference_within_patients_is_that_of_the_differences():
    """The sandwich with one case of each arm per patient is the paired comparison (n - 1 in the denominator)."""
    chance = random.Random(3)
    pairs = [(chance.gauss(60, 30), chance.gauss(5, 8)) for _ in range(40)]
    rows = [
        case(arm, number, total_s=base + (more if arm == "shown" else 0))
        for number, (base, more) in enumerate(pairs)
        for arm in ("shown", "hidden")
    ]
    found = figures(rows)["reading_time_s"]
    differences = [more for _base, more in pairs]
    mean = sum(differences) / 40
    error = math.sqrt(sum((one - mean) ** 2 for one in differences) / 39 / 40)
    assert found.difference == pytest.approx(mean)
    assert found.high - found.difference == pytest.approx(1.959964 * error)
