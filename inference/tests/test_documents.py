"""Card, table and results page: every number is that of a stored measurement, and whose it is stands beside it."""

import copy
import json

import pytest

from inference.card import load_card
from inference.errors import DataError
from inference.imaging.canonical import PREPROCESSING_VERSION
from inference.lab.evaluation.compare import compare
from inference.lab.evaluation.evaluate import write_measurement
from inference.lab.evaluation.figures import figures
from inference.lab.reports.describe import saliency_verdict
from inference.lab.reports.documents import describe, write_documents
from inference.lab.reports.goals import GOALS, verdict
from inference.tests.lab_films import THRESHOLDS, made_films, made_outputs

SHA = "a" * 64
RECIPE = {"name": "joint", "size": 256, "start": "imagenet", "augmentation": {"rotation": 25.0}}
CARD = {
    # A version that is not shipped: the shipped one of the same key would be found in place of this card.
    "name": "bonescan-joint",
    "version": "0.0.0",
    "family": "joint",
    "weights": {"file": "model.safetensors", "sha256": SHA, "bytes": 14_200_000},
    "preprocessing_version": PREPROCESSING_VERSION,
    "modality": ["CR", "DX"],
    "intended_use": "Research.",
    "not_intended_for": ["diagnosis without a doctor"],
    "limits": ["small lesions are lost"],
    "outcome_rule": "malignant is asked first.",
    "operating_points": {
        name: {"name": name, "malignant": cut, "tumour": 0.41, "chosen_on": "out of fold"}
        for name, cut in (("balanced", 0.3217), ("rule_out", 0.1234))
    },
    "withheld": {
        "level": 0.05,
        "cut_offs": [0.1, 0.2, 0.3],
        "distance": {"threshold": 1.9, "chosen_on": "held-out films"},
        "text": "Withheld where the set does not decide.",
        "reasons": {"unstable": "The answer changes when the film is turned."},
    },
    "gate": {"threshold": 0.0, "chosen_on": "another centre"},
    "saliency": {"method": "HiResCAM", "status": "not shown", "reason": "Not measured yet."},
    "training_data": {"name": "BTXRD", "citation": "Yao et al.", "licence": "non-commercial", "start": "ImageNet"},
    "networks": {
        f"member {number}": {
            "architecture": {"network": "MobileNetV2 encoder", "size": 256},
            "parameters": 2_400_000,
            "training": {"recipe": RECIPE, "held_out": "fold4", "epochs_run": 13, "epoch_chosen": 13, "minutes": 41.5},
        }
        for number in (1, 2)
    },
    "reference": {
        "probability of malignant": {"unit": "", "quantiles": {"0.05": 0.011, "0.95": 0.877}, "n": 1500},
        "shares": {"unit": "share", "values": {"withheld": 0.314}, "n": 1500},
    },
    "history": [{"version": "2.0.0", "date": "2026-11-24", "text": "Joint networks."}],
    "command": "python -m inference build",
    "licence": "Research only.",
}


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    return made_films(tmp_path_factory.mktemp("masks"), count=60)


@pytest.fixture(scope="module")
def found(films):
    return json.loads(json.dumps(figures(films, made_outputs(films), THRESHOLDS, 20)))


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "models" / "bonescan-joint-0.0.0"
    folder.mkdir(parents=True)
    (folder / "card.json").write_text(json.dumps(CARD), encoding="utf-8")
    return folder


@pytest.fixture
def place(tmp_path, found, model, monkeypatch):
    """Stores measurements as `evaluate` does and returns the pages that follow from them."""
    monkeypatch.setenv("BONESCAN_MODELS", str(model.parent))
    docs = tmp_path / "docs"

    class Place:
        folder = docs / "results" / "runs"

        def shipped(self, name="shipped-grouped", sha=SHA, **changes):
            about = {"model": {"name": "bonescan-joint", "version": "0.0.0", "sha256": sha}, "command": "evaluate me"}
            return self.store(name, {**found, **about, "leaking": False, **changes})

        def row(self, row, protocol, name="", **changes):
            about = {"row": row, "title": f"title of {row}", "protocol": protocol, "command": f"train {row}"}
            costs = {"parameters": 1_234_567, "training_minutes": 12.5, "leaking": False}
            return self.store(name or f"{row}-{protocol}-fold4", {**found, **about, **costs, **changes})

        def store(self, name, measured):
            write_measurement(measured, self.folder / f"{name}.json")
            return self.folder / f"{name}.json"

        def pages(self):
            paths = write_documents(docs, model)
            assert [path.relative_to(docs).as_posix() for path in paths] == [
                "model-card.md",
                "results/model.md",
                "results.md",
            ]
            return tuple(path.read_text(encoding="utf-8") for path in paths)

    return Place()


def rows_of(page, start):
    return [line for line in page.splitlines() if line.startswith(start)]


def changed(measured, *path, **values):
    copied = copy.deepcopy(measured)
    node = copied
    for key in path:
        node = node[key]
    node.update(values)
    return copied


def test_the_numbers_of_the_table_are_those_of_the_json_and_follow_it(place, found):
    place.row("paper_cnn", "grouped")
    (row,) = rows_of(place.pages()[1], "| 1 |")
    auroc, sensitivity = found["macro_auroc"], found["sensitivity_at_specificity"]["0.95"]
    assert f"{auroc['estimate']:.3f} ({auroc['low']:.3f} to {auroc['high']:.3f})" in row
    assert f"at {sensitivity['specificity']['estimate']:.3f}" in row
    assert f"{found['outline']['dice']['estimate']:.3f}" in row
    assert "1,234,567 | 20 | 12.5 | 60 / 15 | 1 |" in row
    place.row("paper_cnn", "grouped", macro_auroc={"estimate": 0.4321, "low": 0.4, "high": 0.5, "n": 120})
    (row,) = rows_of(place.pages()[1], "| 1 |")
    assert "0.432 (0.400 to 0.500)" in row
    assert row.endswith("| 2 |")


def test_rows_stand_in_the_order_of_the_approaches_and_each_has_its_command_below(place):
    for row, protocol in (("joint", "paper"), ("joint", "grouped"), ("unet", "grouped"), ("svm_classical", "grouped")):
        place.row(row, protocol)
    place.row("vgg16", "grouped")
    place.row("prep_clahe", "grouped")
    place.row("something_new", "grouped")
    place.shipped()
    page = place.pages()[1]
    table = page.split("## The table")[1].split("## Goals")[0]
    numbers = [line.split("|")[1].strip() for line in rows_of(table, "| ")[2:]]
    assert numbers == ["2", "4", "5", "6", "9", "9", "10", "–"]
    assert table.index("| title of joint | grouped") < table.index("| title of joint | paper")
    assert "`train svm_classical && python -m inference evaluate --run" in table
    assert "`python -m inference build && evaluate me`" in table
    assert "4,800,000 | 20 | 83 |" in table


def test_a_leaking_row_bears_the_word_at_every_figure_and_an_honest_page_never(place):
    place.row("joint", "paper")
    assert "LEAKING" not in "".join(place.pages())
    place.row("joint", "paper", leaking=True)
    (row,) = rows_of(place.pages()[1], "| 9 |")
    assert "paper **LEAKING**" in row
    assert row.count("LEAKING") == 6


def test_without_any_measurement_the_pages_say_so(place):
    card, page, _ = place.pages()
    assert "No measurement is stored yet." in page
    assert page.count("| not measured |") == len(GOALS)
    assert "Not measured yet." in card


def test_a_bare_measurement_leaves_sections_out_and_does_not_crash(place):
    bare = figures(made_films(None), made_outputs(made_films(None), full=False), THRESHOLDS, 20)
    about = {"model": {"name": "bonescan-joint", "version": "0.0.0", "sha256": SHA}, "leaking": False}
    place.store("shipped-grouped", {**bare, **about})
    page = place.pages()[1]
    assert "## Subgroups" in page
    assert "**Not shown.** Not measured yet." in page
    for title in ("## Withheld", "## Gate", "## Flips", "## Outlines", "## Comparisons"):
        assert title not in page


def test_a_damaged_measurement_is_named(place):
    place.folder.mkdir(parents=True)
    (place.folder / "joint-grouped-fold4.json").write_text("{", encoding="utf-8")
    with pytest.raises(DataError, match=r"joint-grouped-fold4\.json"):
        place.pages()


def test_goals_are_read_from_the_shipped_model_and_the_recipe_on_centre(place, found):
    place.shipped(macro_auroc={"estimate": 0.951, "low": 0.93, "high": 0.97, "n": 120})
    place.row("joint", "centre", malignant_auroc={"estimate": 0.9, "low": 0.85, "high": 0.94, "n": 120})
    page = place.pages()[1]
    (row,) = rows_of(page, "| macro AUROC | .893")
    assert "0.951 (0.930 to 0.970; n 120) | met; the interval reaches past the goal |" in row
    (row,) = rows_of(page, "| *centre*: malignant AUROC")
    assert "0.900 (0.850 to 0.940; n 120) | **missed** by 0.030 |" in row
    (row,) = rows_of(page, "| ECE")
    assert f"{found['ece']['estimate']:.3f}" in row
    assert "From shipped: `shipped-grouped.json`, centre: `joint-centre-fold4.json`." in page


def test_the_goals_on_centre_belong_to_the_last_stage_of_the_recipe_that_was_measured(place):
    place.shipped()
    place.row("joint", "centre")
    place.row("joint_fine", "centre", malignant_auroc={"estimate": 0.94, "low": 0.9, "high": 0.97, "n": 120})
    page = place.pages()[1]
    (row,) = rows_of(page, "| *centre*: malignant AUROC")
    assert "0.940 (0.900 to 0.970; n 120) | met" in row
    assert "centre: `joint_fine-centre-fold4.json`." in page


def goal(words):
    return next(one for one in GOALS if one.words.startswith(words))


def figure(estimate, spread=0.0):
    return {"estimate": estimate, "low": estimate - spread, "high": estimate + spread, "n": 50}


def test_a_goal_with_a_condition_is_missed_where_the_condition_fails():
    cancers = goal("cancers called normal")
    good = {"cancers_called_normal": figure(0.04), "normals_called_normal": figure(0.81)}
    assert verdict(cancers, good) == "met"
    few = {**good, "normals_called_normal": figure(0.7)}
    assert verdict(cancers, few) == "**missed** with normals called normal 0.700 instead of at least 0.80"
    assert verdict(cancers, {**good, "cancers_called_normal": figure(0.08)}) == "**missed** by 0.030"
    assert "does not count" in verdict(cancers, {**good, "leaking": True})
    answered = goal("answered cases, at most 40 % of each class withheld: malignant recall")
    held = {"share_by_class": {"normal": figure(0.1), "benign": figure(0.5), "malignant": figure(0.2)}}
    measured = {"withheld": {"malignant_recall_answered": figure(0.95), **held}}
    assert verdict(answered, measured) == "**missed** with benign withheld 0.500 instead of at most 0.40"


def test_a_sensitivity_at_a_lower_specificity_than_aimed_says_so():
    pair = {"sensitivity": figure(0.9), "specificity": figure(0.93)}
    told = verdict(goal("malignant sensitivity"), {"sensitivity_at_specificity": {"0.95": pair}})
    assert told == "met only in part; specificity reached is 0.020 short of 0.95"


def test_sections_hold_the_figures_of_the_shipped_model(place, found, films):
    place.shipped()
    gate = {"left_out": {"whole": figure(0.991), "by_kind": {"brain_mri": figure(0.975)}}}
    place.store("gate", {"sha256": "b", "figures": {**gate, "bone_of_another_source_refused": figure(0.004)}})
    compared = compare(films, made_outputs(films), made_outputs(films, seed=9), resamples=20)
    place.store("compare-joint-paper_cnn", {**compared, "a": "paper_cnn", "b": "joint"})
    page = place.pages()[1]
    assert "brain mri | 0.975 (0.975 to 0.975) | 50" in page
    assert "0.991 (0.991 to 0.991; n 50) | met" in page
    lost = found["flips"]["by_perturbation"]["blur"]
    assert f"| blur | {lost['estimate']:.3f}" in page
    assert "No guarantee under shift" in page
    assert "### By centre" in page
    assert f"{found['subgroups']['centre']['2']['accuracy']['estimate']:.3f}" in page
    sizes = found["outline"]["dice_by_size"]
    assert all(f"| {size} |" in page for size in sizes)
    assert "### paper_cnn against joint" in page
    assert f"{compared['figures']['macro_auroc']['p']:.4f}" in page


def test_figures_of_other_weights_are_not_passed_off_as_those_of_the_model_that_answers(place):
    place.shipped()
    assert "other weights" not in place.pages()[1]
    place.shipped(sha="f" * 64)
    assert "`shipped-grouped.json` was measured on other weights" in place.pages()[1]


def test_notes_and_the_part_of_the_portal_are_joined_as_they_are(place):
    place.folder.mkdir(parents=True)
    (place.folder.parent / "portal.md").write_text("## Speed\n\nfast | enough\n", encoding="utf-8")
    (place.folder.parent / "notes-model.md").write_text("## What was tried\n\n*this*  and that\n", encoding="utf-8")
    _, page, joined = place.pages()
    assert page.endswith("## What was tried\n\n*this*  and that\n")
    assert joined.startswith("# Results\n")
    assert joined.index("*this*  and that") < joined.index("## Speed\n\nfast | enough\n")
    assert page.strip() in joined


def test_describe_writes_figures_with_their_owner_and_leaves_the_weights_alone(place, model, found):
    files = {"grouped": place.shipped(), "centre": place.row("joint", "centre"), "paper": place.row("joint", "paper")}
    files["gate"] = place.store("gate", {"sha256": "b", "figures": {"bone_refused": figure(0.01)}})
    describe(model, files)
    card = load_card(model)
    held = card["figures"]
    assert list(held) == ["grouped", "centre", "paper", "gate"]
    assert [held[name]["of"] for name in held] == ["weights", "recipe", "recipe", "gate"]
    for name in ("macro_auroc", "calibration_curve", "subgroups", "films", "groups", "films_by_class", "outline"):
        expected = {k: v for k, v in found[name].items() if k != "froc"} if name == "outline" else found[name]
        assert held["grouped"][name] == expected
    assert held["grouped"]["leaking"] is False
    assert held["centre"]["protocol"] == "centre"
    assert held["centre"]["command"] == "train joint"
    assert not {"roc_curve", "decision_curve", "risk_coverage_curve"} & held["grouped"].keys()
    assert held["gate"]["bone_refused"]["estimate"] == 0.01
    assert card["weights"] == CARD["weights"]
    page = place.pages()[0]
    assert "centre (the recipe, trained on one hospital" in page
    assert f"{found['conformal']['coverage']['estimate']:.3f}" in page


def test_describe_refuses_figures_of_other_weights_and_writes_nothing(place, model):
    before = (model / "card.json").read_bytes()
    with pytest.raises(DataError, match="sha256"):
        describe(model, {"centre": place.row("joint", "centre"), "grouped": place.shipped(sha="f" * 64)})
    with pytest.raises(DataError, match="sha256 is missing"):
        describe(model, {"grouped": place.row("joint", "grouped")})
    assert (model / "card.json").read_bytes() == before


def test_describe_refuses_what_does_not_belong_under_that_name(place, model):
    for code, files in (
        ("other_recipe", {"centre": place.row("paper_cnn", "centre")}),
        ("other_protocol", {"paper": place.row("joint", "centre")}),
        ("other_protocol", {"centre": place.shipped()}),
        ("unknown_figures", {"elsewhere": place.row("joint", "centre")}),
        ("no_figures", {"grouped": place.folder / "absent.json"}),
        ("no_figures", {"gate": place.store("gate", {"seconds": 3})}),
    ):
        with pytest.raises(DataError) as error:
            describe(model, files)
        assert error.value.code == code


def test_a_card_of_the_first_family_keeps_the_figures_that_it_came_with(place, model):
    (model / "card.json").write_text(json.dumps({**CARD, "figures": {"macro_auroc": figure(0.79)}}), encoding="utf-8")
    with pytest.raises(DataError, match="published with"):
        describe(model, {"grouped": place.shipped()})
    card, page, _ = place.pages()
    assert "| macro AUROC | 0.790 |" in page
    assert "| macro AUROC | 0.790 (0.790 to 0.790; n 50) |" in card


def saliency(pointing=0.8, iou=0.3, alike=0.1, **more):
    inner = {
        "pointing_game": figure(pointing),
        "iou": figure(iou),
        "randomisation": {"rank_correlation": figure(alike)},
    }
    return {"saliency": inner, **more}


def test_saliency_is_shown_only_where_overlap_and_randomisation_allow_it():
    assert saliency_verdict(saliency())[0] == "shown"
    for measured, words in (
        (saliency(pointing=0.7), "pointing game stays below"),
        (saliency(iou=0.2), "IoU stays below"),
        (saliency(alike=0.5), "resembles"),
        (saliency(leaking=True), "seen in training"),
        ({"saliency": {"pointing_game": figure(0.9), "iou": figure(0.5)}}, "not both measured"),
        ({}, "not both measured"),
    ):
        status, reason = saliency_verdict(measured)
        assert status == "not shown"
        assert words in reason


def test_the_rule_for_saliency_stands_in_the_card_in_words(place, model, found):
    good = changed(found, "saliency", **saliency()["saliency"])
    card = describe(model, {"grouped": place.shipped(saliency=good["saliency"])})
    assert card["saliency"]["status"] == "shown"
    assert card["saliency"]["method"] == "HiResCAM"
    assert "pointing game reaches 0.75" in card["saliency"]["rule"]
    assert "**Shown.** Pointing game 0.800" in place.pages()[0]
    describe(model, {"grouped": place.shipped()})
    assert load_card(model)["saliency"]["status"] == "not shown"


def test_the_model_card_holds_what_the_card_says(place):
    page = place.pages()[0]
    for words in (
        "sha256 `aaaa",
        "| rule-out | 0.1234 | 0.41 | out of fold |",
        "Level of the sets: 0.05",
        "`unstable`: The answer changes when the film is turned.",
        "| member 2 | MobileNetV2 encoder | 256 px | 2,400,000 | 13 (13) | 41.5 | fold4 | joint | imagenet |",
        "augmentation (rotation 25.0)",
        "| probability of malignant | – | 0.011 | 0.877 | 1500 |",
        "| withheld | 0.314 | 1500 |",
        "- 2.0.0 (2026-11-24): Joint networks.",
        "`python -m inference build`",
        "Research only.",
    ):
        assert words in page


def test_a_measurement_on_training_images_is_stamped_in_the_model_card(place, model):
    describe(model, {"grouped": place.shipped(leaking=True)})
    page = place.pages()[0]
    assert "grouped (these weights) **LEAKING**" in page
    assert all("LEAKING" in row for row in rows_of(page, "| share by class, "))
