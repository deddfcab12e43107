"""The joint family behind the predictor: complete answers, both operating points, and every reason to withhold."""

import json

import numpy as np
import pytest
import torch

from inference.calibration import OUTCOMES
from inference.contrast import stretched
from inference.errors import WeightsError
from inference.families.joint.model import folded, look_at
from inference.families.joint.network import build
from inference.imaging.prepare import common_square
from inference.outline import regions_of
from inference.predictor import Predictor
from inference.tests.toy import JOINT_SUBTYPES, toy_film, toy_joint
from inference.variants import turned, variants_of, views_of_card
from inference.withholding import reasons_to_withhold


@pytest.fixture(scope="module")
def predictor(tmp_path_factory):
    return predictor_with(tmp_path_factory.mktemp("model"))


def predictor_with(folder, **changes):
    toy_joint(folder, **changes)
    return Predictor.load(folder)


def test_an_answer_holds_probabilities_ranking_regions_and_distance(tmp_path):
    point = {"name": "balanced", "malignant": 0.0, "tumour": 0.0, "chosen_on": "nothing"}
    answer = predictor_with(tmp_path, operating_points={"balanced": point}).predict(toy_film(1))
    assert sum(answer.probabilities.values()) == pytest.approx(1)
    assert answer.leaning == "malignant"
    assert {name for name, _ in answer.subtypes} == set(JOINT_SUBTYPES)
    assert [value for _, value in answer.subtypes] == sorted((v for _, v in answer.subtypes), reverse=True)
    assert answer.distance > 0
    assert answer.saliency.shape == (64, 64)
    json.dumps([answer.subtypes, [region.polygon for region in answer.regions]])


def test_no_tumour_called_means_no_ranking_and_no_outline(tmp_path):
    point = {"name": "balanced", "malignant": 1.1, "tumour": 1.1, "chosen_on": "nothing"}
    answer = predictor_with(tmp_path, operating_points={"balanced": point}).predict(toy_film(1), explain=False)
    assert answer.leaning == "normal"
    assert answer.subtypes == ()
    assert answer.regions == ()


def test_the_department_chooses_the_operating_point_and_the_answer_says_which(predictor):
    ruled_out, other = (
        predictor.predict(toy_film(1), explain=False, operating_point=name) for name in ("rule_out", "no such")
    )
    assert ruled_out.operating_point["malignant"] == 0.1
    assert other.operating_point["name"] == "balanced"


def test_a_set_of_several_classes_withholds_the_answer_and_names_them(predictor):
    answer = predictor.predict(toy_film(1), explain=False)
    assert answer.outcome == "withheld"
    assert "set_undecided" in answer.withheld_reasons
    assert answer.prediction_set == OUTCOMES
    assert answer.leaning in OUTCOMES


def test_a_film_far_from_the_training_films_is_withheld(tmp_path):
    withheld = {"level": 0.05, "cut_offs": [2.0, 2.0, 2.0], "distance": {"threshold": 0.0}}
    answer = predictor_with(tmp_path, withheld=withheld).predict(toy_film(1), explain=False)
    assert "unlike_training" in answer.withheld_reasons


def test_a_label_that_flips_between_views_is_withheld(predictor, tmp_path):
    shares = [predictor.model.probabilities(logits)[1][2] for logits in _logits_by_view(predictor, toy_film(1))]
    between = (min(shares) + max(shares)) / 2
    point = {"name": "balanced", "malignant": between, "tumour": 0.0, "chosen_on": "nothing"}
    answer = predictor_with(tmp_path, operating_points={"balanced": point}).predict(toy_film(1), explain=False)
    assert "unstable" in answer.withheld_reasons


def _logits_by_view(predictor, film, views=None):
    square = torch.from_numpy(common_square(film).copy())[None, None].float().div_(255)
    return look_at(predictor.model.members, square, views).logits.mean(axis=0)


def test_seen_in_four_turns_a_film_gets_the_same_answer_however_it_lies(tmp_path):
    film = common_square(toy_film(1))
    predictor = predictor_with(tmp_path, views="quarter_turns")
    point = predictor.points["balanced"]
    upright = predictor.model.judge(film, point)
    for turns in (1, 2, 3):
        lying = predictor.model.judge(np.rot90(film, turns), point)
        assert lying.probabilities == pytest.approx(upright.probabilities, abs=1e-6)
        assert lying.withheld_reasons == upright.withheld_reasons
        assert np.allclose(np.rot90(lying.cells, -turns), upright.cells, atol=1e-5)
        assert lying.distance == pytest.approx(upright.distance, abs=1e-3)


@pytest.mark.parametrize(("dissenters", "withheld"), [(1, False), (2, True), (3, True)])
def test_two_quarter_turns_that_disagree_withhold_the_answer_and_one_does_not(dissenters, withheld):
    views = views_of_card("quarter_turns")
    outcomes = [0] * dissenters + [1] * (4 - dissenters)
    members = np.array([False, True, False])
    reasons = reasons_to_withhold(1, members, outcomes, 0.0, 1.0, (views.reason, views.dissenters))
    assert (reasons == ("orientation",)) is withheld


@pytest.mark.parametrize("entry", ["views", "preparation"])
def test_a_card_that_asks_for_what_nobody_can_do_is_refused(tmp_path, entry):
    with pytest.raises(WeightsError, match="upside"):
        predictor_with(tmp_path, **{entry: "upside"})


def test_where_the_card_asks_for_it_a_dull_film_is_judged_as_its_stretched_copy(tmp_path):
    dull = (common_square(toy_film(1)) // 6 + 10).astype(np.uint8)
    wide = stretched(dull)
    assert not np.array_equal(wide, dull)
    plain = predictor_with(tmp_path / "plain")
    asked = predictor_with(tmp_path / "asked", preparation="stretch")
    point = plain.points["balanced"]
    assert asked.model.judge(dull, point).probabilities == plain.model.judge(wide, point).probabilities
    assert asked.model.judge(dull, point).probabilities != plain.model.judge(dull, point).probabilities


def test_saliency_is_kept_back_unless_the_card_lets_it_be_shown(tmp_path):
    hidden = predictor_with(tmp_path, saliency={"method": "HiResCAM", "status": "not shown"})
    assert hidden.predict(toy_film(1)).saliency is None


def test_weights_that_do_not_fit_the_card_are_refused(tmp_path):
    with pytest.raises(WeightsError) as refusal:
        predictor_with(tmp_path, members=2)
    assert refusal.value.code == "bad_weights"


def test_an_unknown_family_is_refused(tmp_path):
    with pytest.raises(WeightsError) as refusal:
        predictor_with(tmp_path, family="oracle")
    assert refusal.value.code == "unknown_family"


def test_a_card_without_its_calibration_is_refused(tmp_path):
    card = toy_joint(tmp_path)
    del card["calibration"]
    (tmp_path / "card.json").write_text(json.dumps(card))
    with pytest.raises(WeightsError, match="incomplete"):
        Predictor.load(tmp_path)


def test_the_same_film_gets_the_same_answer_twice(predictor, tmp_path):
    again = predictor_with(tmp_path)
    first, second = (one.predict(toy_film(3), explain=False) for one in (predictor, again))
    assert first.probabilities == second.probabilities
    assert first.regions == second.regions


def test_folding_batch_norms_changes_no_answer():
    torch.manual_seed(1)
    network = build({"size": 64, "subtypes": 3}).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.2, 0.2)
            module.running_var.uniform_(0.5, 1.5)
    image = torch.rand(1, 1, 64, 64)
    with torch.inference_mode():
        before = network(image)
        after = folded(network)(image)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in network.modules())
    assert torch.allclose(before.logits, after.logits, atol=1e-4)
    assert torch.allclose(before.masks, after.masks, atol=1e-3)


def test_the_mirrored_view_is_the_film_mirrored_and_the_turned_one_stays_in_range():
    image = torch.rand(1, 1, 64, 64)
    variants = variants_of(image)
    assert torch.equal(variants[1], image[0].flip(-1))
    assert 0 <= float(turned(image).min()) <= float(turned(image).max()) <= 1


def test_the_frozen_stage_stays_as_it_was_through_a_step():
    network = build({"size": 64, "subtypes": 0}).train()
    before = {name: value.clone() for name, value in network.encoder.stages[0].state_dict().items()}
    optimiser = torch.optim.SGD([p for p in network.parameters() if p.requires_grad], lr=1.0)
    network(torch.rand(2, 1, 64, 64)).logits.sum().backward()
    optimiser.step()
    assert all(torch.equal(before[name], value) for name, value in network.encoder.stages[0].state_dict().items())


def test_regions_are_traced_where_cells_are_probable_and_measured_in_fractions():
    cells = np.zeros((64, 64), dtype=np.float32)
    cells[16:32, 32:48] = 0.9
    cells[2, 2] = 0.9
    (region,) = regions_of(cells, 0.5, 0.001)
    assert region.box == pytest.approx((0.5, 0.25, 0.75, 0.5), abs=0.01)
    assert region.area == pytest.approx(1 / 16, rel=0.05)
    assert region.probability == pytest.approx(0.9, abs=0.01)


def test_a_hole_in_a_lesion_still_is_the_lesion():
    cells = np.zeros((64, 64), dtype=np.float32)
    cells[16:48, 16:48] = 0.9
    cells[28:36, 28:36] = 0.0
    (region,) = regions_of(cells, 0.5, 0.001)
    assert region.area == pytest.approx(0.25, rel=0.05)


def test_a_hotter_spot_in_the_corner_of_an_l_lends_it_no_probability():
    cells = np.zeros((64, 64), dtype=np.float32)
    cells[10:50, 10:18] = cells[42:50, 10:50] = 0.6
    cells[20:26, 30:36] = 0.95
    spot, bent = regions_of(cells, 0.5, 0.0)
    assert bent.box[0] < spot.box[0]
    assert spot.box[2] < bent.box[2]
    assert bent.box[1] < spot.box[1]
    assert spot.box[3] < bent.box[3]
    assert spot.probability == pytest.approx(0.95, abs=0.01)
    assert bent.probability == pytest.approx(0.6, abs=0.01)


@pytest.mark.parametrize("place", [(0, 0), (63, 63), (0, 30), (31, 17)])
def test_a_single_cell_has_its_own_probability_wherever_it_lies(place):
    cells = np.zeros((64, 64), dtype=np.float32)
    cells[place] = 0.8
    (region,) = regions_of(cells, 0.3, 0.0)
    assert 0.5 < region.probability <= 0.8


def test_nothing_probable_means_no_region():
    assert regions_of(np.zeros((64, 64), dtype=np.float32), 0.5, 0.0) == ()
