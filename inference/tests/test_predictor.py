"""The door to the model: only a matching pair opens it, and every answer is complete and repeatable."""

import json

import numpy as np
import pytest
import torch

from inference.card import identity, installed
from inference.errors import InferenceError, WeightsError
from inference.imaging.blank import is_blank
from inference.imaging.canonical import canonical_sha256
from inference.imaging.prepare import common_square
from inference.lab.data.synthetic import synthetic_image
from inference.predictor import Predictor
from inference.tests.toy import toy_film, toy_weights


@pytest.fixture
def weights(tmp_path):
    toy_weights(tmp_path)
    return tmp_path


def test_an_answer_is_complete(weights):
    film = toy_film(0)
    answer = Predictor.load(weights).predict(film)
    assert answer.outcome in {"normal", "benign", "malignant"}
    assert sum(answer.probabilities.values()) == pytest.approx(1)
    assert answer.gate.analysable
    assert answer.model == identity(weights)
    assert answer.canonical_sha256 == canonical_sha256(film)
    assert answer.operating_point["malignant"] == 0.3
    assert answer.saliency.dtype == np.uint8
    assert set(answer.timings_ms) == {"checking", "classifying", "explaining"}


def test_the_same_film_gets_the_same_answer_from_another_instance(weights):
    first, second = (Predictor.load(weights).predict(toy_film(4)) for _ in range(2))
    assert first.probabilities == second.probabilities
    assert np.array_equal(first.saliency, second.saliency)


def test_stages_are_announced_in_order(weights):
    heard = []
    Predictor.load(weights).predict(toy_film(0), on_stage=heard.append)
    assert heard == ["checking", "classifying", "explaining"]


def test_without_explanation_there_is_no_map_and_no_stage(weights):
    heard = []
    answer = Predictor.load(weights).predict(toy_film(0), on_stage=heard.append, explain=False)
    assert answer.saliency is None
    assert heard == ["checking", "classifying"]


def test_what_the_stage_callback_raises_stops_the_work(weights):
    class LeaseLost(Exception):
        pass

    def stop(stage):
        if stage == "classifying":
            raise LeaseLost

    with pytest.raises(LeaseLost):
        Predictor.load(weights).predict(toy_film(0), on_stage=stop)


def test_what_the_gate_refuses_gets_no_probabilities(tmp_path):
    toy_weights(tmp_path, gate_bias=-20.0)
    answer = Predictor.load(tmp_path).predict(toy_film(0))
    assert (answer.outcome, answer.probabilities, answer.saliency) == ("not_analysable", None, None)
    assert answer.gate.reason_code == "not_a_bone_radiograph"
    assert answer.gate.score < answer.gate.threshold


@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_plain_image_is_refused_as_blank(weights, value):
    answer = Predictor.load(weights).predict(np.full((300, 200), value, dtype=np.uint8))
    assert answer.gate.reason_code == "blank_image"


@pytest.mark.parametrize("seed", range(12))
def test_a_smooth_ramp_is_refused_as_blank(weights, seed):
    ramp = synthetic_image("gradient", np.random.default_rng(seed))
    assert Predictor.load(weights).predict(ramp).gate.reason_code == "blank_image"


def test_a_film_is_not_blank():
    assert not is_blank(common_square(toy_film(0)))


def test_changed_weights_are_refused(weights):
    path = weights / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    with pytest.raises(WeightsError) as refusal:
        Predictor.load(weights)
    assert refusal.value.code == "weights_mismatch"


def test_weights_with_a_value_that_is_no_number_are_refused(tmp_path):
    toy_weights(tmp_path, change={"tumour.head.4.bias": torch.tensor([float("nan")])})
    with pytest.raises(WeightsError) as refusal:
        Predictor.load(tmp_path)
    assert refusal.value.code == "not_finite_weights"


def test_weights_of_another_architecture_are_refused(weights):
    card = json.loads((weights / "card.json").read_text())
    card["networks"]["tumour"]["architecture"]["dense"] = 9
    (weights / "card.json").write_text(json.dumps(card))
    with pytest.raises(WeightsError) as refusal:
        Predictor.load(weights)
    assert refusal.value.code == "bad_weights"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda card: card.pop("gate"), "bad_card"),
        (lambda card: card.update(preprocessing_version="0"), "other_preprocessing"),
        (lambda card: card["weights"].update(file="absent.safetensors"), "no_weights"),
    ],
)
def test_an_unfit_card_is_refused(weights, change, code):
    card = json.loads((weights / "card.json").read_text())
    change(card)
    (weights / "card.json").write_text(json.dumps(card))
    with pytest.raises(WeightsError) as refusal:
        Predictor.load(weights)
    assert refusal.value.code == code


def test_a_missing_card_says_what_to_do(tmp_path):
    with pytest.raises(WeightsError, match="install"):
        Predictor.load(tmp_path)


def test_an_answer_that_is_no_number_is_an_error(weights):
    predictor = Predictor.load(weights)
    with torch.no_grad():
        predictor.model.members["tumour"].network.head[-1].bias.fill_(float("nan"))
    with pytest.raises(InferenceError) as fault:
        predictor.predict(toy_film(0))
    assert fault.value.code == "not_finite"


@pytest.mark.parametrize("folder", installed().values(), ids=installed())
def test_every_shipped_pair_loads_is_small_and_draws_a_map_only_where_its_card_says_so(folder):
    predictor = Predictor.load(folder)
    assert predictor.card["weights"]["bytes"] < 30_000_000
    square = np.random.default_rng(1).integers(0, 256, (256, 256), dtype=np.uint8)
    drawn = predictor.model.saliency(square, predictor.model.judge(square, predictor.point()))
    assert (drawn is not None) == (predictor.card["saliency"]["status"] in ("shown", "not validated"))
