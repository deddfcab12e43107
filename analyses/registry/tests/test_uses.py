"""What models are for: a group of modalities and a task, each with a model of its own."""

import pytest

from analyses.errors import ServiceError
from analyses.registry import services as registry
from analyses.registry.uses import TUMOUR_ON_RADIOGRAPHS, IntendedUse, all_uses, use_of, uses_of
from analyses.tests.toy_model import TOY, install_toy
from analyses.tests.uses import SECOND

pytestmark = pytest.mark.django_db


@pytest.fixture
def models_dir(tmp_path, monkeypatch):
    monkeypatch.setenv("BONESCAN_MODELS", str(tmp_path))
    return tmp_path


def card_for(use: IntendedUse) -> dict:
    return {"modality": [use.modality], "task": use.task}


@pytest.mark.parametrize(
    ("modalities", "group"),
    [
        (("", ""), "DX"),
        (("CR", ""), "DX"),
        (("RG", "DX"), "DX"),
        (("MR", ""), "MR"),
        (("", "MR"), "MR"),
        (("CR", "MR"), None),
        (("US", ""), None),
        (("US", "CR"), None),
    ],
)
def test_an_image_is_of_the_group_that_its_file_and_its_uploader_name(magnetic, modalities, group):
    use = use_of(*modalities, task="tumour")
    assert use == (IntendedUse(group, "tumour") if group else None)


def test_a_card_that_names_no_task_is_of_tumours(magnetic, fracture):
    assert uses_of({"modality": ["CR", "DX", "MR"]}) == [TUMOUR_ON_RADIOGRAPHS, magnetic]
    assert uses_of({"modality": "DX", "task": "fracture"}) == [fracture]
    assert uses_of({"modality": ["DX"], "task": "age"}) == []


def test_one_modality_and_one_task_have_a_model_until_others_are_added():
    assert registry.active_uses() == [TUMOUR_ON_RADIOGRAPHS]
    assert all_uses()[0] == TUMOUR_ON_RADIOGRAPHS


@pytest.mark.parametrize("second", SECOND, indirect=True)
def test_a_use_has_no_model_until_one_is_activated_for_it(second, models_dir, administrator):
    assert (registry.active_model(second), registry.roll_back_target(second)) == ("", "")
    install_toy(models_dir, **card_for(second))
    row = registry.activate_model(second, TOY, reason="first", by=administrator)
    assert (row.modality, row.task, row.previous) == (*second, "")
    assert registry.active_model(second) == TOY
    assert registry.active_uses() == [TUMOUR_ON_RADIOGRAPHS, second]
    with pytest.raises(ServiceError, match="No other model"):
        registry.roll_back_model(second, reason="x", by=administrator)


@pytest.mark.parametrize("second", SECOND, indirect=True)
def test_activations_of_two_uses_know_nothing_of_each_other(second, models_dir, administrator):
    install_toy(models_dir, "other-0", **card_for(second))
    install_toy(models_dir, "other-1", **card_for(second))
    install_toy(models_dir)
    registry.activate_model(second, "other-0", reason="first", by=administrator)
    registry.activate_model(TUMOUR_ON_RADIOGRAPHS, TOY, reason="x", by=administrator)
    registry.activate_model(second, "other-1", reason="better", by=administrator)
    assert registry.roll_back_model(second, reason="worse", by=administrator).model_key == "other-0"
    assert registry.active_model(TUMOUR_ON_RADIOGRAPHS) == TOY
    assert [row.model_key for row in registry.history(second)] == ["other-0", "other-1", "other-0"]
    assert [row.model_key for row in registry.history(TUMOUR_ON_RADIOGRAPHS)] == [TOY]
    assert registry.roll_back_target(TUMOUR_ON_RADIOGRAPHS) == registry.default_model()


@pytest.mark.parametrize(
    ("second", "code"), [("magnetic", "wrong_modality"), ("fracture", "wrong_task")], indirect=["second"]
)
def test_a_model_is_refused_for_a_use_that_its_card_does_not_name(second, code, models_dir, administrator):
    install_toy(models_dir)
    with pytest.raises(ServiceError) as refusal:
        registry.activate_model(second, TOY, reason="x", by=administrator)
    assert refusal.value.code == code


def test_a_task_without_a_place_in_the_registry_is_refused(models_dir, administrator):
    install_toy(models_dir, task="bone_age")
    with pytest.raises(ServiceError) as refusal:
        registry.activate_model(IntendedUse("DX", "bone_age"), TOY, reason="x", by=administrator)
    assert refusal.value.code == "unknown_task"
