"""The energy test of all features together: its false alarms by simulation, and what it finds."""

import numpy as np
import pytest

from inference.acceptance.films import FilmAnswer
from inference.acceptance.shift import JOINT, shift_of
from inference.shift.energy import energy_test
from inference.shift.sample import FEATURES, MOST_FILMS, ReferenceSample, draw_sample


def patients(rng, n, films=1, alike=0.8, to=0.0, columns=8):
    """Features (n * films, columns) of n patients; films of one patient share `alike` of their variance."""
    own = rng.normal(size=(n, 1, columns)) * np.sqrt(alike)
    noise = rng.normal(size=(n, films, columns)) * np.sqrt(1 - alike)
    return (own + noise + to).reshape(n * films, columns)


def alarms(films: int, level=0.05, runs=200) -> float:
    rng = np.random.default_rng(5)
    found = [
        energy_test(patients(rng, 120), patients(rng, 80 // films, films), permutations=99).p <= level
        for _ in range(runs)
    ]
    return float(np.mean(found))


def test_with_one_film_of_each_patient_false_alarms_keep_their_level():
    assert 0.02 <= alarms(films=1) <= 0.085


def test_with_four_films_of_each_patient_they_would_not():
    assert alarms(films=4) > 0.3


def test_a_shift_of_all_features_and_one_of_their_spread_are_found():
    rng = np.random.default_rng(7)
    reference = patients(rng, 200)
    assert energy_test(reference, patients(rng, 100, to=0.5)).p < 0.001
    assert energy_test(reference, 1.6 * patients(rng, 100)).p < 0.001
    assert energy_test(reference, patients(rng, 100)).p > 0.01


def test_a_constant_column_hides_no_shift_of_the_others():
    rng = np.random.default_rng(6)
    reference, batch = patients(rng, 200), patients(rng, 100, to=0.6)
    with_constant = [np.concatenate([rows, np.full((len(rows), 1), 0.1)], axis=1) for rows in (reference, batch)]
    assert energy_test(*with_constant).p < 0.001


def test_too_few_rows_or_other_columns_are_refused():
    rng = np.random.default_rng(8)
    with pytest.raises(ValueError, match="20 rows"):
        energy_test(patients(rng, 100), patients(rng, 19))
    with pytest.raises(ValueError, match="columns"):
        energy_test(patients(rng, 100), patients(rng, 30, columns=7))
    same = np.ones((30, 3))
    assert energy_test(same, same, permutations=99).p == 1.0


def test_a_sample_holds_one_film_of_each_group_and_survives_the_card():
    rng = np.random.default_rng(9)
    groups = np.repeat(np.arange(400), 3)
    labels, outputs = rng.integers(0, 3, len(groups)), rng.uniform(size=(len(groups), 2))
    sample = draw_sample(labels, outputs, rng.normal(size=(len(groups), FEATURES)), groups)
    assert len(sample.labels) == MOST_FILMS
    again = ReferenceSample.of_card({"reference": {"films": sample.as_dict()}})
    assert again.rows.shape == (MOST_FILMS, 2 + FEATURES)
    assert np.allclose(again.features, sample.features, atol=1e-3)
    first = draw_sample(np.arange(6), np.zeros((6, 2)), np.zeros((6, 1)), np.array([1, 1, 2, 2, 3, 3]))
    assert len(set((first.labels // 2).tolist())) == 3
    for damaged in (
        {},
        {"reference": {}},
        {"reference": {"films": {"labels": [1], "outputs": [[1, 2]], "features": [[]]}}},
    ):
        assert ReferenceSample.of_card(damaged) is None


def test_an_acceptance_set_is_compared_by_its_tumour_free_films_one_of_each_patient():
    rng = np.random.default_rng(11)
    labels = np.array([0] * 150 + [1] * 50)
    sample = ReferenceSample(labels, np.zeros((200, 2)), rng.normal(size=(200, FEATURES)))
    quantiles = {
        f"{q:g}": 60 + 10 * z for q, z in ((0.05, -1.645), (0.25, -0.674), (0.5, 0), (0.75, 0.674), (0.95, 1.645))
    }
    card = {"reference": {"films": sample.as_dict(), "grey mean": {"quantiles": quantiles, "n": 1000}}}

    def films(to: float) -> list[FilmAnswer]:
        made = []
        for patient in range(60):
            for _ in range(3):
                features = tuple(rng.normal(size=FEATURES) + to)
                answer = ("normal", patient, True, "normal", (), (0.9, 0.1, 0.0), ("normal",), 1.0)
                made.append(FilmAnswer(*answer, float(rng.normal(60, 10)), 50.0, features, False))
        return made

    same = {line["name"]: line for line in shift_of(card, films(0.0))}
    other = {line["name"]: line for line in shift_of(card, films(0.8))}
    assert set(same) == {"grey mean", JOINT}
    assert same[JOINT]["n"] == 60
    assert not any(line["shifted"] for line in same.values())
    assert other[JOINT]["shifted"]
    assert not other["grey mean"]["shifted"]
    assert shift_of({}, films(0.0)) == []
