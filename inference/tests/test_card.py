"""Several versions side by side: what is installed, which is the default, and what a card must hold."""

import json

import pytest

from inference import card
from inference.errors import WeightsError
from inference.tests.toy import toy_weights


def test_the_default_is_installed_and_matches_its_card():
    shipped = card.load_card()
    assert card.installed()[card.key_of(shipped)] == card.SHIPPED
    assert card.verified_weights(shipped)


def test_every_model_that_comes_with_the_program_lies_in_the_folder_of_its_name():
    for key, folder in card.installed().items():
        assert card.key_of(card.load_card(folder)) == key
        assert (folder / "NOTICE").is_file()


def test_the_first_model_stays_installed_to_roll_back_to():
    old = card.load_card(card.installed()["bonescan-paper-cnn-1.0.1"])
    assert card.family_of(old) == "paper"
    assert card.operating_points(old) == {"balanced": old["operating_point"]}
    assert card.modalities_of(old) == ("CR", "DX")


def test_the_operators_folder_is_looked_into_and_cannot_replace_what_came_with_the_program(tmp_path, monkeypatch):
    toy_weights(tmp_path / "toy-0")
    toy_weights(tmp_path / card.SHIPPED.name)
    assert "toy-0" not in card.installed()
    monkeypatch.setenv("BONESCAN_MODELS", str(tmp_path))
    assert card.installed()["toy-0"] == tmp_path / "toy-0"
    assert card.installed()[card.SHIPPED.name] == card.SHIPPED


def test_a_folder_of_models_that_is_gone_adds_nothing(tmp_path, monkeypatch):
    before = card.installed()
    monkeypatch.setenv("BONESCAN_MODELS", str(tmp_path / "gone"))
    assert card.installed() == before


def test_without_a_default_no_card_is_found(tmp_path):
    folder = card._default_folder(tmp_path)
    with pytest.raises(WeightsError) as refusal:
        card.load_card(folder)
    assert refusal.value.code == "no_card"


def joint(toy: dict) -> dict:
    """The same card as the later family writes it: several operating points, no list of networks."""
    points = {"balanced": toy["operating_point"], "rule_out": toy["operating_point"] | {"name": "rule_out"}}
    dropped = ("operating_point", "networks")
    return {key: value for key, value in toy.items() if key not in dropped} | {
        "family": "joint",
        "operating_points": points,
    }


def test_a_card_of_the_later_family_names_its_operating_points(tmp_path):
    later = joint(toy_weights(tmp_path))
    (tmp_path / "card.json").write_text(json.dumps(later))
    assert set(card.operating_points(card.load_card(tmp_path))) == {"balanced", "rule_out"}


@pytest.mark.parametrize("key", ["name", "version", "weights", "gate", "operating_points"])
def test_a_later_card_that_lacks_a_key_is_refused_and_named(tmp_path, key):
    later = joint(toy_weights(tmp_path))
    del later[key]
    (tmp_path / "card.json").write_text(json.dumps(later))
    with pytest.raises(WeightsError, match=key) as refusal:
        card.load_card(tmp_path)
    assert refusal.value.code == "bad_card"


@pytest.mark.parametrize("text", ["", "[1]", '{"name": "x"', "null"])
def test_a_card_that_is_no_card_is_refused(tmp_path, text):
    (tmp_path / "card.json").write_text(text)
    with pytest.raises(WeightsError) as refusal:
        card.load_card(tmp_path)
    assert refusal.value.code == "bad_card"


def test_a_card_without_the_hash_of_its_weights_is_refused(tmp_path):
    toy = toy_weights(tmp_path)
    del toy["weights"]["sha256"]
    (tmp_path / "card.json").write_text(json.dumps(toy))
    with pytest.raises(WeightsError, match=r"weights\.sha256"):
        card.load_card(tmp_path)
