"""The figures of one approach: against a second implementation, against cases worked by hand, and on missing input."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from sklearn.metrics import (
    average_precision_score,
    balanced_accuracy_score,
    confusion_matrix,
    precision_recall_fscore_support,
    roc_auc_score,
)

from inference.errors import DataError
from inference.lab.data.folder import LabelledFilm
from inference.lab.evaluation.curves import decision_curve, precision_recall_curve, risk_coverage_curve, roc_curve
from inference.lab.evaluation.figures import figures, labels_of, restated_precision
from inference.lab.evaluation.lesion_figures import best_hits, dice, hits_at, outline_figures
from inference.lab.evaluation.lesions import Regions, Truth, connected, find_regions, read_truth
from inference.lab.evaluation.saliency import (
    at_least_half,
    highest,
    overlap,
    pointing,
    rank_correlation,
    saliency_figures,
    structural_similarity,
    widened,
)
from inference.lab.metrics.resampling import Resampling
from inference.lab.training.outputs import Outputs
from inference.tests.lab_films import THRESHOLDS, made_films, made_outputs, square

RESAMPLES = 150


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    films = made_films(tmp_path_factory.mktemp("masks"))
    outputs = made_outputs(films)
    return films, outputs, figures(films, outputs, THRESHOLDS, RESAMPLES)


def every_figure(value, path=()):
    if isinstance(value, dict) and set(value) == {"estimate", "low", "high", "n"}:
        yield path, value
    elif isinstance(value, dict):
        for name, part in value.items():
            yield from every_figure(part, (*path, name))


def alone(count, labels=None):
    return Resampling.draw(np.arange(count), np.zeros(count, dtype=int) if labels is None else labels, 50)


def test_macro_auroc_comes_first_and_everything_is_strict_json(everything):
    _, _, found = everything
    assert next(iter(found)) == "macro_auroc"
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_groups_and_films_are_counted_whole_and_by_class(everything):
    _, _, found = everything
    assert (found["films"], found["groups"]) == (120, 30)
    assert found["films_by_class"] == {"normal": 40, "benign": 40, "malignant": 40}
    assert found["groups_by_class"] == {"normal": 10, "benign": 10, "malignant": 10}


def test_every_figure_lies_within_its_interval(everything):
    _, _, found = everything
    checked = [(path, f) for path, f in every_figure(found) if f["estimate"] is not None]
    assert len(checked) > 100
    for path, figure in checked:
        assert figure["low"] <= figure["estimate"] + 0.06, path  # an error of calibration is biased upwards
        assert figure["estimate"] <= figure["high"] + 1e-9, path


def test_the_figures_agree_with_a_second_implementation(everything):
    films, outputs, found = everything
    labels, called, p = labels_of(films), outputs.called, outputs.probabilities
    assert found["macro_auroc"]["estimate"] == pytest.approx(roc_auc_score(labels, p, multi_class="ovr"), abs=6e-5)
    assert found["balanced_accuracy"]["estimate"] == pytest.approx(balanced_accuracy_score(labels, called), abs=6e-5)
    assert found["confusion_matrix"]["counts"] == confusion_matrix(labels, called).tolist()
    precision, recall, f1, _ = precision_recall_fscore_support(labels, called)
    for k, name in enumerate(("normal", "benign", "malignant")):
        row = found["per_class"][name]
        assert row["precision"]["estimate"] == pytest.approx(precision[k], abs=6e-5)
        assert row["recall"]["estimate"] == pytest.approx(recall[k], abs=6e-5)
        assert row["f1"]["estimate"] == pytest.approx(f1[k], abs=6e-5)
        assert row["auprc"]["estimate"] == pytest.approx(average_precision_score(labels == k, p[:, k]), abs=6e-5)
        assert row["balanced_accuracy"]["estimate"] == pytest.approx(
            balanced_accuracy_score(labels == k, called == k), abs=6e-5
        )


def test_sensitivity_is_read_at_the_cut_off_of_validation_and_says_what_specificity_came_of_it(everything):
    films, outputs, found = everything
    cancer, above = labels_of(films) == 2, outputs.probabilities[:, 2] >= THRESHOLDS.specificity_95
    row = found["sensitivity_at_specificity"]["0.95"]
    assert row["aimed"] == 0.95
    assert row["sensitivity"]["estimate"] == pytest.approx(above[cancer].mean(), abs=6e-5)
    assert row["specificity"]["estimate"] == pytest.approx((~above)[~cancer].mean(), abs=6e-5)
    assert row["sensitivity"]["n"] == 40


def test_precision_is_restated_by_bayes():
    labels = np.array([2] * 10 + [0] * 100)
    called = np.array([2] * 9 + [0] + [2] * 20 + [0] * 80)
    found = restated_precision(alone(110, labels), labels, called)
    assert found["0.10"]["estimate"] == pytest.approx(0.9 * 0.1 / (0.9 * 0.1 + 0.2 * 0.9), abs=1e-4)
    assert found["0.50"]["estimate"] == pytest.approx(0.9 / 1.1, abs=1e-4)


def test_net_benefit_is_hits_less_alarms_at_the_odds_of_the_threshold():
    stated = np.array([0.9, 0.6, 0.4, 0.1])
    targets = np.array([True, False, True, False])
    point = next(p for p in decision_curve(alone(4), targets, stated) if p["threshold"] == 0.5)
    assert point["net_benefit"] == 0.0  # one hit, one alarm, odds 1
    assert point["treat_all"] == 0.0
    low = next(p for p in decision_curve(alone(4), targets, stated) if p["threshold"] == 0.2)
    assert low["net_benefit"] == pytest.approx(2 / 4 - 1 / 4 * 0.25)
    assert low["treat_all"] == pytest.approx(0.5 - 0.5 * 0.25)


def test_the_curves_run_from_nothing_called_to_everything_called():
    targets = np.array([True, False, True, False])
    scores = np.array([0.9, 0.8, 0.8, 0.1])
    points = roc_curve(targets, scores)
    assert [(p["sensitivity"], p["specificity"]) for p in points] == [(0, 1), (0.5, 1), (1, 0.5), (1, 0)]
    assert precision_recall_curve(targets, scores)[1] == {"threshold": 0.8, "precision": 0.6667, "recall": 1.0}
    assert roc_curve(np.ones(3, dtype=bool), np.arange(3.0)) == []


def test_risk_falls_with_coverage_and_what_is_withheld_counts_as_missed():
    labels = np.array([2, 2, 0, 0])
    called = np.array([2, 0, 0, 2])
    certainty = np.array([0.9, 0.4, 0.8, 0.35])
    points = risk_coverage_curve(alone(4, labels), labels, called, certainty)
    half = next(p for p in points if p["coverage"] == 0.5)
    assert half["risk"] == 0
    assert half["missed"] == 0.5
    assert points[-1]["risk"] == 0.5
    assert points[-1]["coverage"] == 1


def test_withheld_films_leave_precision_but_count_as_missed(everything):
    films, outputs, found = everything
    labels, answered = labels_of(films), ~outputs.withheld
    found = found["withheld"]
    among = answered & (outputs.called == 2)
    assert found["malignant_precision_answered"]["estimate"] == pytest.approx((labels[among] == 2).mean(), abs=6e-5)
    assert found["malignant_recall_withheld_counted_as_missed"]["estimate"] == pytest.approx(
        among[labels == 2].mean(), abs=6e-5
    )
    assert (
        found["malignant_recall_withheld_counted_as_missed"]["estimate"]
        < found["malignant_recall_answered"]["estimate"]
    )
    assert found["films_by_reason"] == {"set_undecided": int(outputs.withheld.sum())}


def test_conformal_coverage_is_told_per_class_and_per_centre(everything):
    films, outputs, found = everything
    labels = labels_of(films)
    covered = outputs.prediction_sets[np.arange(len(films)), labels]
    second = np.array([film.attributes["centre"] == "2" for film in films])
    by_centre = found["conformal"]["coverage_by_centre"]["2"]
    assert by_centre["malignant"]["estimate"] == pytest.approx(covered[second & (labels == 2)].mean(), abs=6e-5)
    assert by_centre["malignant"]["n"] == (second & (labels == 2)).sum()


def test_flips_are_counted_per_perturbation_and_together(everything):
    _, _, found = everything
    assert found["flips"]["by_perturbation"]["blur"]["estimate"] == 0.1
    assert found["flips"]["by_perturbation"]["noise"]["estimate"] == 0.0
    assert found["flips"]["any"]["estimate"] == 0.1


def test_only_subgroups_of_twenty_films_are_shown_and_tumours_only_ones_are_not_ranked(everything):
    films, _, found = everything
    assert set(found["subgroups"]["centre"]) == {"1", "2"}
    assert found["subgroups"]["site"]["knee"]["classes"] == ["normal"]
    assert "macro_auroc" not in found["subgroups"]["site"]["knee"]
    sizes = read_truth(films).sizes()
    assert set(found["subgroups"]["size"]) == {name for name, inside in sizes.items() if inside.sum() >= 20}
    few = figures(films[:30], made_outputs(films[:30]), THRESHOLDS, 20)
    assert "site" not in few["subgroups"]


def test_a_film_without_a_ranking_counts_as_missed(everything):
    films, outputs, _ = everything
    silent = replace(outputs, subtypes=np.zeros_like(outputs.subtypes))
    found = figures(films, silent, THRESHOLDS, resamples=20)["subtypes"]
    assert found["ranked"]["estimate"] == found["first"]["estimate"] == found["among_first_three"]["estimate"] == 0
    assert found["first_where_ranked"]["n"] == 0


def test_the_true_subtype_is_ranked_among_tumour_films_only(everything):
    films, outputs, found = everything
    tumour = labels_of(films) > 0
    truth = np.array(["xy".find(film.attributes["subtype"] or "?") for film in films])
    right = outputs.subtypes.argmax(axis=1) == truth
    assert found["subtypes"]["first"]["estimate"] == pytest.approx(right[tumour].mean(), abs=6e-5)
    assert found["subtypes"]["first"]["n"] == tumour.sum()


def test_bare_answers_make_fewer_sections_and_no_failure():
    films = made_films(None)
    found = figures(films, made_outputs(films, full=False), THRESHOLDS, RESAMPLES)
    for section in ("withheld", "conformal", "outline", "saliency", "flips", "subtypes", "gate", "ms_per_image"):
        assert section not in found
    assert found["macro_auroc"]["estimate"] > 0.7
    assert "size" not in found["subgroups"]
    bare = replace(THRESHOLDS, specificity_90=None, specificity_95=None)
    unaimed = figures(films, made_outputs(films, full=False), bare, 20)
    assert "sensitivity_at_specificity" not in unaimed
    assert unaimed["thresholds"]["specificity_95"] is None


def test_films_of_one_class_have_no_ranking_and_still_have_shares():
    films = [film for film in made_films(None) if film.label == "normal"]
    found = figures(films, made_outputs(films), THRESHOLDS, RESAMPLES)
    assert found["macro_auroc"] == {"estimate": None, "low": None, "high": None, "n": 40}
    assert found["cancers_called_normal"]["estimate"] is None
    assert found["normals_called_normal"]["estimate"] > 0.3
    json.dumps(found, allow_nan=False)


def test_answers_without_a_number_are_counted_and_not_ranked():
    films = made_films(None)
    outputs = made_outputs(films, full=False)
    p = outputs.probabilities.copy()
    p[:5] = np.nan
    found = figures(films, replace(outputs, probabilities=p), THRESHOLDS, RESAMPLES)
    assert found["films_without_probabilities"] == 5
    assert found["macro_auroc"]["n"] == 115
    assert found["accuracy"]["n"] == 120
    none = figures(films, replace(outputs, probabilities=np.full((120, 3), np.nan)), THRESHOLDS, RESAMPLES)
    assert none["macro_auroc"]["estimate"] is None
    json.dumps(none, allow_nan=False)


def test_outputs_of_other_films_are_refused():
    films = made_films(None)
    with pytest.raises(DataError):
        figures(films[::-1], made_outputs(films), THRESHOLDS, 10)
    with pytest.raises(DataError):
        figures([], Outputs([], np.zeros((0, 3)), np.zeros(0, dtype=int)), THRESHOLDS, 10)


def test_regions_are_those_of_a_second_implementation():
    rng = np.random.default_rng(8)
    cells = rng.random((6, 40, 40)) < 0.35
    found = connected(cells)
    for index in range(6):
        wanted, count = ndimage.label(cells[index], np.ones((3, 3)))
        pairs = set(zip(found[index].ravel().tolist(), wanted.ravel().tolist(), strict=True))
        assert len(pairs) == count + 1  # a one-to-one naming, nought for nought
        assert (0, 0) in pairs


def test_a_winding_region_is_one_region():
    cells = np.zeros((1, 21, 21), dtype=bool)
    cells[0, ::2] = True
    cells[0, 1::4, -1] = True
    cells[0, 3::4, 0] = True
    assert len(np.unique(connected(cells)[cells])) == 1


def test_an_outline_becomes_the_cells_it_half_covers_and_a_tiny_one_keeps_a_cell(tmp_path):
    films = []
    for name, mask in (("big", square(8, 8, 16)), ("tiny", square(50, 51, 1)), ("empty", square(0, 0, 0))):
        Image.fromarray(mask).save(tmp_path / f"{name}.png")
        films.append(LabelledFilm(name, "benign", name, "test", Path("none"), {}, tmp_path / f"{name}.png"))
    truth = read_truth([*films, LabelledFilm("none", "normal", "n", "test", Path("none"), {})])
    assert truth.cells.sum(axis=(1, 2)).tolist() == [64, 1, 0, 0]
    assert truth.cells[1, 25, 25]
    assert truth.area[0] == pytest.approx(256 / 128**2)
    assert truth.drawn.tolist() == [True, True, False, False]
    assert truth.sizes()["under 0.1 %"].tolist() == [False, True, False, False]
    assert truth.sizes()["1 to 5 %"].tolist() == [True, False, False, False]


def lesion_at(*boxes):
    cells = np.zeros((64, 64), dtype=bool)
    for x, y, side in boxes:
        cells[y : y + side, x : x + side] = True
    return cells


def test_dice_by_hand():
    a, b = lesion_at((0, 0, 4)), lesion_at((2, 0, 4))
    assert dice(a[None], b[None])[0] == pytest.approx(2 * 8 / 32)
    assert np.isnan(dice(np.zeros((1, 4, 4), bool), np.zeros((1, 4, 4), bool))[0])


def test_a_region_hits_one_of_several_lesions_but_not_by_touching_a_corner():
    truth = Truth(np.stack([lesion_at((0, 0, 4), (40, 40, 20)), lesion_at((10, 10, 10))]), np.array([0.1, 0.02]))
    masks = np.zeros((2, 64, 64))
    masks[0, 0:4, 0:4] = 0.8
    masks[1, 18:30, 18:30] = 0.9  # 4 of 100 + 144 - 4 cells
    regions = find_regions(masks, 0.5, truth)
    assert regions.film.tolist() == [0, 1]
    assert regions.hit.tolist() == [True, False]
    assert regions.score.tolist() == [0.8, 0.9]
    assert best_hits(regions, 2).tolist() == [0.8, -np.inf]


def test_hits_are_counted_above_the_score_at_which_false_regions_become_too_many():
    # ten normal films (0 to 9) with three false regions; four tumour films (10 to 13) hit at different scores
    film = np.array([0, 1, 2, 10, 11, 12])
    score = np.array([0.9, 0.7, 0.5, 0.95, 0.6, 0.4])
    regions = Regions(film, score, film >= 10)
    normal = np.arange(14) < 10
    values = hits_at(alone(14, (~normal).astype(int)), regions, ~normal, normal, 0.2)
    assert values[0].tolist() == [0.5, 0.2]  # two false regions allowed: above 0.5 lie 0.95 and 0.6
    assert hits_at(alone(14), regions, ~normal, normal, 0.05)[0].tolist() == [0.25, 0.0]
    assert hits_at(alone(14), regions, ~normal, normal, 1.0)[0].tolist() == [0.75, 0.3]


def test_perfect_outlines_have_dice_one_and_no_false_region(tmp_path):
    films = made_films(tmp_path)
    truth = read_truth(films)
    outputs = replace(made_outputs(films), masks=truth.cells.astype(np.float16))
    labels = labels_of(films)
    found = outline_figures(alone(len(films), labels), labels, outputs, THRESHOLDS, truth)
    assert found["dice"]["estimate"] == 1
    assert found["lesion_hits_at_0.2"]["estimate"] == 1
    assert found["false_regions_per_normal_film"]["estimate"] == 0
    assert sum(figure["n"] for figure in found["dice_by_size"].values()) == found["dice"]["n"] == 80
    blank = replace(outputs, masks=np.zeros((len(films), 64, 64), dtype=np.float16))
    nothing = outline_figures(alone(len(films), labels), labels, blank, THRESHOLDS, truth)
    assert nothing["dice"]["estimate"] == 0
    assert nothing["lesion_hits_at_0.2"]["estimate"] == 0


def test_pointing_counts_a_peak_near_the_lesion_and_shares_equal_peaks():
    lesions = np.stack([lesion_at((10, 10, 4))] * 3)
    maps = np.zeros((3, 64, 64))
    maps[0, 11, 15] = 5  # two cells right of the last lesion cell
    maps[1, 11, 16] = 5
    maps[2, 11, 11] = maps[2, 50, 50] = 7
    assert pointing(maps, lesions).tolist() == [1.0, 0.0, 0.5]
    assert widened(lesion_at((10, 10, 1))[None], 2).sum() == 13


def test_the_marked_area_is_half_the_peak_or_as_large_as_the_lesion():
    maps = np.zeros((2, 8, 8))
    maps[0, 0, :4] = [10, 6, 5, 4]
    lesions = np.zeros((2, 8, 8), dtype=bool)
    lesions[0, 0, :2] = True
    assert at_least_half(maps).sum(axis=(1, 2)).tolist() == [3, 0]
    assert overlap(at_least_half(maps), lesions)[0] == pytest.approx(2 / 3)
    assert overlap(highest(maps, lesions), lesions)[0] == 1
    assert np.isnan(overlap(at_least_half(maps), lesions)[1])


def test_the_randomisation_test_tells_the_same_map_from_another():
    rng = np.random.default_rng(9)
    maps, other = rng.integers(0, 255, (2, 3, 64, 64)).astype(float)
    assert rank_correlation(maps, maps) == pytest.approx(1)
    assert rank_correlation(maps, 255 - maps) == pytest.approx(-1)
    assert np.abs(rank_correlation(maps, other)).max() < 0.1
    assert structural_similarity(maps, maps) == pytest.approx(1)
    assert structural_similarity(maps, other).max() < 0.1
    assert np.isnan(rank_correlation(np.zeros((1, 8, 8)), maps[:1, :8, :8])).all()


def test_saliency_that_is_the_lesion_is_perfect_and_the_centre_is_told_beside_it(tmp_path):
    films = made_films(tmp_path)
    truth = read_truth(films)
    outputs = replace(made_outputs(films), saliency=(truth.cells * 255).astype(np.uint8))
    labels = labels_of(films)
    found = saliency_figures(alone(len(films), labels), labels, outputs, truth)
    assert found["pointing_game"]["estimate"] == found["iou"]["estimate"] == 1
    assert found["pointing_game_of_the_centre"]["estimate"] < 0.5
    assert found["pointing_game"]["n"] == 80
    assert abs(found["randomisation"]["rank_correlation"]["estimate"]) < 0.2


def test_groups_matter_more_than_films():
    films = made_films(None)
    outputs = made_outputs(films, full=False)
    ungrouped = [replace(film, group_id=film.image_id) for film in films]
    alike = replace(outputs, called=np.repeat(outputs.called[::4], 4))
    wide, narrow = (figures(f, alike, THRESHOLDS, RESAMPLES)["accuracy"] for f in (films, ungrouped))
    assert wide["high"] - wide["low"] > 1.4 * (narrow["high"] - narrow["low"])


def test_a_patient_is_one_case_wherever_every_film_names_its_patient(tmp_path):
    films = made_films(None)
    outputs = made_outputs(films, full=False)
    assert "per_patient" not in figures(films, outputs, THRESHOLDS, 20)
    known = [
        replace(film, attributes={**film.attributes, "patient_group": str(index // 2)})
        for index, film in enumerate(films)
    ]
    found = figures(known, outputs, THRESHOLDS, 20)
    case = found["per_patient"]
    assert sum(case["patients_by_class"].values()) == 60
    assert case["malignant_sensitivity"]["n"] == 20
    assert case["malignant_sensitivity"]["estimate"] >= found["malignant_sensitivity"]["estimate"]
    assert case["malignant_specificity"]["estimate"] <= found["malignant_specificity"]["estimate"]
