"""Texture features say what they should, and machines on them tell toy films apart."""

import numpy as np
import pytest
from PIL import Image

from inference.calibration import OUTCOMES
from inference.errors import DataError
from inference.lab.data.folder import LabelledFilm, read_squares
from inference.lab.networks.catalogue import build_network
from inference.lab.recipes.experiment import Experiment
from inference.lab.training.classical import Classical, labelled, train_classical
from inference.lab.training.hybrid import Hybrid, train_hybrid
from inference.lab.training.svm import Features, TwoSteps, train_two_steps
from inference.lab.training.texture import glcm, hog, lbp, texture_features


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def stripes(angle: float, rng, side: int = 128) -> np.ndarray:
    down, right = np.indices((side, side))
    wave = np.sin((np.cos(angle) * right + np.sin(angle) * down) * 0.6 + rng.uniform(0, 6))
    return np.clip(0.5 + 0.3 * wave + rng.normal(0, 0.03, (side, side)), 0, 1)


def test_gradient_histograms_turn_with_the_picture(rng):
    upright, lying = (hog(stripes(angle, rng)).reshape(-1, 4, 9).mean(axis=(0, 1)) for angle in (0.0, np.pi / 2))
    assert upright.argmax() in (0, 8)
    assert lying.argmax() == 4


def test_co_occurrence_tells_flat_from_rough(rng):
    flat, rough = (glcm(picture).reshape(-1, 5) for picture in (np.full((64, 64), 0.5), rng.random((64, 64))))
    assert flat[0].tolist() == pytest.approx([0, 1, 1, 1, 0], abs=1e-6)
    assert (rough[:, 0] > 100).all()
    assert (rough[:, 4] > 9).all()


def test_binary_patterns_are_shares_and_ignore_brightness(rng):
    picture = rng.random((64, 64))
    found = lbp(picture, 2)
    assert (found.reshape(16, 59) ** 2).sum(axis=1) == pytest.approx(1)
    assert np.array_equal(found, lbp(picture / 2 + 0.2, 2))


@pytest.fixture
def films(tmp_path, rng) -> list[LabelledFilm]:
    """Ninety films in thirty groups; the label shows in the direction of their stripes."""
    made = []
    for number in range(90):
        label = number % 3
        path = tmp_path / f"{number:02d}.png"
        picture = stripes(label * np.pi / 3 + rng.normal(0, 0.1), rng)
        Image.fromarray((picture * 255).astype(np.uint8)).save(path)
        made.append(LabelledFilm(path.stem, OUTCOMES[label], str(number // 3), "", path, {}))
    return made


def accuracy(probabilities: np.ndarray, films: list[LabelledFilm]) -> float:
    labels = np.array([OUTCOMES.index(film.label) for film in films])
    return float((probabilities.argmax(axis=1) == labels).mean())


def squares(films: list[LabelledFilm]) -> np.ndarray:
    return read_squares([film.path for film in films])


def test_classical_tells_directions_apart_and_answers_the_same_from_its_file(films, tmp_path):
    model = train_classical(films[:60], films[60:75])
    test = squares(films[75:])
    found = model.probabilities(test)
    assert found.sum(axis=1) == pytest.approx(1)
    assert accuracy(found, films[75:]) >= 0.8
    model.save(tmp_path / "machines.npz")
    again = Classical.load(tmp_path / "machines.npz")
    assert np.array_equal(again.logits(test), model.logits(test))
    assert again.machines.costs == model.machines.costs


def test_labels_without_meaning_give_probabilities_near_their_shares(rng):
    """Platt's scaling on held-out folds must not trust distances of films that the machine has seen."""
    values = rng.normal(size=(300, 20)).astype(np.float32)
    labels = rng.permutation(np.repeat([0, 1, 2], 100))
    made = Features(values, labels, np.arange(300) // 2)
    found = train_two_steps(made.of(np.arange(200)), made.of(np.arange(200, 300)))
    unseen = rng.normal(size=(300, 20))
    assert found.probabilities(unseen).mean(axis=0) == pytest.approx([1 / 3] * 3, abs=0.12)
    assert found.probabilities(unseen).max() < 0.75


def test_hybrid_reads_a_networks_features(films, tmp_path):
    recipe = Experiment(
        name="toy", network="paper_cnn", size=32, architecture={"widths": [8, 8], "dense": 32, "dropout": 0.0}
    )
    network = build_network(recipe)
    model = train_hybrid(network, recipe, films[:60], films[60:75])
    test = squares(films[75:])
    assert model.logits(test).shape == (15, 2)
    model.save(tmp_path / "machines.npz")
    assert np.array_equal(Hybrid.load(tmp_path / "machines.npz", network, recipe).logits(test), model.logits(test))


def test_a_broken_file_of_machines_is_named(tmp_path):
    path = tmp_path / "machines.npz"
    path.write_bytes(b"PK\x03\x04 not an archive")
    with pytest.raises(DataError, match=r"machines\.npz"):
        TwoSteps.load(path)


def test_features_carry_labels_and_groups(films):
    found = labelled(films[:4], np.zeros((4, 2)))
    assert found.labels.tolist() == [0, 1, 2, 0]
    assert found.groups.tolist() == ["0", "0", "0", "1"]
    assert texture_features(squares(films[:2])).shape == (2, 3692)
