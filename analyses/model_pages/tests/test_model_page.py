"""The model page: every word and figure comes from a card, and a card that lacks something breaks nothing."""

import json

import pytest
from django.urls import reverse

from analyses.model_pages.card import figures_of, page_of, pairs_of
from analyses.model_pages.facts import own_figures, recipe_figures
from analyses.model_pages.plots import calibration_plot, distributions
from analyses.registry import services as registry
from analyses.registry.uses import TUMOUR_ON_RADIOGRAPHS
from analyses.tests.toy_model import TOY, install_toy
from inference.card import installed, load_card

pytestmark = pytest.mark.django_db
OLD = "bonescan-paper-cnn-1.0.1"
QUANTILES = {"0.01": 1, "0.05": 2, "0.25": 3, "0.5": 4, "0.75": 6, "0.95": 9, "0.99": 11}


def figure(estimate: float, n: int = 551) -> dict:
    return {"estimate": estimate, "low": estimate - 0.1, "high": estimate + 0.05, "n": n}


def joint_card() -> dict:
    """What a card of the later family adds, with figures that occur nowhere else."""
    curve = [
        {"stated": 0.1, "observed": 0.12, "low": 0.05, "high": 0.2, "n": 80},
        {"stated": 0.9, "observed": 0.8, "n": 9},
    ]
    point = {"name": "balanced", "malignant": 0.211, "tumour": 0.5, "chosen_on": "out of fold"}
    return {
        "family": "joint",
        "operating_points": {"balanced": point, "rule_out": point | {"name": "rule_out", "malignant": 0.0777}},
        "withheld": {
            "level": 0.07,
            "coverage": {"malignant": figure(0.931)},
            "reasons": {"unlike_training": "It is odd."},
        },
        "subtypes": ["osteosarcoma", "osteochondroma"],
        "reference": {"mean_grey": {"unit": "of 255", "quantiles": QUANTILES, "n": 2000}},
        "saliency": {"method": "Grad-CAM", "status": "not shown", "reason": "too little overlap"},
        "history": [{"version": "2.0.0", "date": "2026-11-24", "text": "Outlines the lesion."}],
        "limits": ["Small lesions are lost."],
        "figures": {
            "grouped": {
                "macro_auroc": figure(0.941),
                "films": 551,
                "groups": 45,
                "calibration_curve": curve,
                "malignant_calibration_curve": curve,
                "confusion_matrix": {"classes": ["normal", "benign"], "counts": [[7, 1], [2, 8]]},
                "per_class": {"malignant": {"recall": figure(0.871, 47)}},
                "subgroups": {"centre": {"1": {"films": 300, "groups": 30, "macro_auroc": figure(0.951)}}},
            },
            "centre": {"macro_auroc": figure(0.881, 700)},
            "paper": {"macro_auroc": figure(0.967)},
        },
    }


@pytest.fixture
def joint(tmp_path, monkeypatch):
    monkeypatch.setenv("BONESCAN_MODELS", str(tmp_path / "models"))
    return install_toy(tmp_path / "models", **joint_card())


def page(client, key: str = "") -> str:
    url = reverse("analyses:model_version", args=[key]) if key else reverse("analyses:model")
    answer = client.get(url)
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.mark.parametrize("role", ["doctor", "clerk", "api_client", "administrator", "auditor"])
def test_everybody_may_read_the_card_of_the_model_in_force(client, request, role):
    card = load_card()
    client.force_login(request.getfixturevalue(role))
    text = page(client)
    assert f"{card['name']} {card['version']}" in text
    assert card["weights"]["sha256"] in text


def test_every_installed_version_has_its_page(client, doctor, joint):
    client.force_login(doctor)
    for key, folder in installed().items():
        text = page(client, key)
        assert load_card(folder)["weights"]["sha256"] in text
        assert ("This is not the active version" in text) == (key != registry.default_model())


def test_the_first_flat_card_is_still_shown_with_its_figures_and_limits(client, doctor):
    card = load_card(installed()[OLD])
    client.force_login(doctor)
    text = page(client, OLD)
    auroc = card["figures"]["macro_auroc"]
    assert f"{auroc['estimate']:.3f}" in text
    assert f"{auroc['low']:.3f} to {auroc['high']:.3f}" in text
    assert text.count("<li>") >= len(card["limits"])
    assert "never withholds" in text
    assert "no calibration curve" in text


def test_a_joint_card_says_what_belongs_to_the_weights_and_what_to_the_recipe(client, doctor, joint):
    client.force_login(doctor)
    text = page(client, TOY)
    assert "describe the training recipe" in text
    for words in ("0.941", "0.881", "0.967", "551 films, 45 groups", "0.871", "0.95", "Shipped weights"):
        assert words in text
    for words in (
        "osteosarcoma",
        "It is odd.",
        "Rule out",
        "0.078",
        "0.211",
        "Outlines the lesion.",
        "too little overlap",
    ):
        assert words in text
    assert text.count('class="plot-point"') == 4
    assert 'class="spread-box"' in text
    assert "Small lesions are lost." in text


def test_nothing_on_the_page_needs_an_inline_style_or_script(client, doctor, joint):
    client.force_login(doctor)
    text = page(client, TOY)
    assert " style=" not in text
    assert "<script>" not in text


# Without its cut-offs a card is refused.
@pytest.mark.parametrize("key", sorted(set(joint_card()) - {"operating_points"}))
def test_a_card_that_lacks_a_part_still_makes_a_page(client, doctor, joint, key):
    lacking = {name: value for name, value in joint.items() if name != key}
    if key == "family":
        lacking |= {"operating_point": joint["operating_points"]["balanced"]}
    path = installed()[TOY] / "card.json"
    path.write_text(json.dumps(lacking))
    client.force_login(doctor)
    page(client, TOY)


@pytest.mark.parametrize("wrong", [None, [], "text", 7])
def test_parts_of_another_form_are_left_out(wrong):
    parts = (
        "withheld",
        "reference",
        "history",
        "figures",
        "subtypes",
        "saliency",
        "training_data",
        "limits",
        "networks",
    )
    shown = page_of(load_card() | dict.fromkeys(parts, wrong))
    assert shown["figures"] == shown["reference"] == shown["history"] == []
    assert shown["calibration"] is None


def test_a_card_without_figures_warns(client, doctor, joint):
    path = installed()[TOY] / "card.json"
    path.write_text(json.dumps({name: value for name, value in joint.items() if name != "figures"}))
    client.force_login(doctor)
    assert "has not been evaluated" in page(client, TOY)


def test_a_version_that_is_not_installed_is_not_found_and_says_what_its_answers_keep(client, doctor):
    client.force_login(doctor)
    answer = client.get(reverse("analyses:model_version", args=["bonescan-paper-cnn-0.9"]))
    assert answer.status_code == 404
    assert "Its answers keep their wording" in answer.content.decode()


def test_a_damaged_card_is_said_to_be_damaged(client, doctor, joint):
    (installed()[TOY] / "card.json").write_text("{")
    client.force_login(doctor)
    answer = client.get(reverse("analyses:model_version", args=[TOY]))
    assert (answer.status_code, "cannot be used" in answer.content.decode()) == (503, True)


def test_the_page_follows_an_activation_and_shows_its_history(client, doctor, administrator, joint):
    registry.activate_model(TUMOUR_ON_RADIOGRAPHS, TOY, reason="compared on our films", by=administrator)
    client.force_login(doctor)
    text = page(client)
    assert "toy 0" in text
    assert "compared on our films" in text


def test_a_model_in_force_that_was_removed_is_an_error(client, doctor, administrator, joint):
    registry.activate_model(TUMOUR_ON_RADIOGRAPHS, TOY, reason="x", by=administrator)
    for path in installed()[TOY].iterdir():
        path.unlink()
    client.force_login(doctor)
    assert client.get(reverse("analyses:model")).status_code == 503


def test_figures_of_weights_and_recipe_are_told_apart():
    flat, nested = {"figures": {"macro_auroc": figure(0.8)}}, joint_card()
    assert own_figures(flat)["macro_auroc"]["estimate"] == 0.8
    assert recipe_figures(flat, "centre") == {}
    assert own_figures(nested)["macro_auroc"]["estimate"] == 0.941
    assert recipe_figures(nested, "centre")["macro_auroc"]["estimate"] == 0.881
    assert own_figures({"figures": {"centre": {"macro_auroc": figure(0.8)}}}) == {}


def test_every_figure_of_a_block_is_found_and_named():
    found = figures_of({"macro_auroc": figure(0.9), "recall": {"benign": {"estimate": 1.0}}})
    assert [(one["name"], one["estimate"], one["low"]) for one in found] == [
        ("Macro AUROC", 0.9, pytest.approx(0.8)),
        ("recall, benign", 1.0, None),
    ]


def test_nested_values_become_pairs():
    assert pairs_of({"a": {"b_c": 1.5, "d": ["x", 2]}, "e": None, "f": True, "g": "", "h": []}) == [
        ("a b c", "1.5"),
        ("a d", "x, 2"),
        ("e", "not defined"),
        ("f", "yes"),
    ]


def test_a_calibration_plot_lies_inside_its_frame_and_rises_upwards():
    plot = calibration_plot([{"stated": 0.0, "observed": 0.0, "n": 1}, {"stated": 1.0, "observed": 1.2, "n": 1}])
    first, last = plot["points"]
    frame = plot["frame"]
    assert (first["x"], first["y"]) == (frame["left"], frame["bottom"])
    assert (last["x"], last["y"]) == (frame["right"], frame["top"])
    assert calibration_plot([{"stated": None, "observed": 0.1}]) is None
    assert calibration_plot("nonsense") is None


def test_a_distribution_is_drawn_from_its_quantiles():
    [row] = distributions({"mean_grey": {"quantiles": QUANTILES, "n": 5}})
    assert row["values"] == list(QUANTILES.values())
    assert row["box"]["median"] == "30.0%"
    [flat] = distributions({"x": {"quantiles": dict.fromkeys(QUANTILES, 1.0)}})
    assert flat["box"] is None
    [part] = distributions({"x": {"quantiles": {"0.50": 2.0}}})
    assert (part["values"][3], part["box"]) == (2.0, None)
