"""One section measured again: the others stay as they are, and only on the same weights and films."""

import json

import numpy as np
import pytest
from PIL import Image

from inference.__main__ import main
from inference.tests.toy import toy_joint, toy_labelled


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A model, a folder of films with outlines, and a measurement of both whose saliency has gone stale."""
    root = tmp_path_factory.mktemp("again")
    toy_joint(root / "model")
    folder = toy_labelled(root / "films")
    (folder / "masks").mkdir()
    for name in ("A1", "A2", "A4", "A5"):
        mask = np.zeros((96, 96), dtype=np.uint8)
        mask[24:72, 34:62] = 255
        Image.fromarray(mask).save(folder / "masks" / f"{name}.png")
    assert main(words(root, root / "whole.json", "--no-flips")) == 0
    return root


def words(root, out, *more, films="films", model="model"):
    return ["evaluate", f"--images={root / films}", f"--model={root / model}", f"--json={out}", "--workers=1", *more]


@pytest.fixture
def stale(place, tmp_path):
    measured = json.loads((place / "whole.json").read_text())
    measured["saliency"]["randomisation"] = {"stale": True}
    measured["brier"]["estimate"] = 0.123
    path = tmp_path / "stale.json"
    path.write_text(json.dumps(measured))
    return path


def test_one_section_is_measured_again_and_the_others_stay_as_they_are(place, stale):
    before, whole = json.loads(stale.read_text()), json.loads((place / "whole.json").read_text())
    for times in (1, 2):
        assert main(words(place, stale, "--only=saliency")) == 0
        after = json.loads(stale.read_text())
        again = after.pop("measured_again")
        assert again["saliency"]["times"] == times
        assert "--only saliency" in again["saliency"]["command"]
        assert str(place) not in again["saliency"]["command"]
        assert after == {**before, "saliency": whole["saliency"]}
    assert after["times_measured"] == 1


def test_other_weights_and_other_films_are_refused_and_nothing_is_written(place, stale, tmp_path, capsys):
    before = stale.read_bytes()
    card = toy_joint(place / "other")
    card["weights"]["sha256"] = "f" * 64
    (place / "other" / "card.json").write_text(json.dumps(card))
    toy_labelled(place / "fewer", count=3)
    for changes, told in (({"model": "other"}, "not measured on these weights"), ({"films": "fewer"}, "other films")):
        assert main(words(place, stale, "--only=saliency", **changes)) == 2
        assert told in capsys.readouterr().err
    assert stale.read_bytes() == before
    assert main(words(place, tmp_path / "none.json", "--only=saliency")) == 2
    assert main(["evaluate", f"--run={tmp_path}", f"--json={stale}", "--only=saliency"]) == 2


def test_an_operating_point_that_the_model_has_not_is_refused_and_a_dash_is_understood(place, tmp_path, capsys):
    out = tmp_path / "out.json"
    assert main(words(place, out, "--no-flips", "--operating-point=rule-in")) == 2
    assert "balanced, rule_out" in capsys.readouterr().err
    assert not out.exists()
    assert main(words(place, out, "--no-flips", "--operating-point=rule-out")) == 0
    measured = json.loads(out.read_text())
    assert measured["operating_point"]["name"] == "rule_out"
    assert "--operating-point rule_out" in measured["command"]


def test_a_card_without_training_images_says_that_nothing_can_be_checked(place, tmp_path, capsys):
    whole = json.loads((place / "whole.json").read_text())
    assert whole["training_list"] is False
    assert "cannot be checked" in whole["statement"]
    toy_joint(tmp_path / "listed", trained_on=(np.zeros((96, 96), dtype=np.uint8),))
    out = tmp_path / "out.json"
    assert main(words(place, out, "--no-flips", model=tmp_path / "listed")) == 0
    assert "cannot be checked" not in capsys.readouterr().err
    measured = json.loads(out.read_text())
    assert measured["training_list"] is True
    assert "cannot be checked" not in measured["statement"]
