"""Stored answers come back as they were, and damaged ones are refused by name."""

import numpy as np
import pytest

from inference.errors import DataError
from inference.lab.training.outputs import Outputs


def full_outputs():
    rng = np.random.default_rng(3)
    return Outputs(
        image_ids=["a", "bb", "ccc"],
        probabilities=rng.dirichlet([1, 1, 1], 3),
        called=np.array([0, 2, 1]),
        withheld=np.array([False, True, False]),
        reasons=[[], ["unstable", "set_undecided"], []],
        refused=np.array([False, False, True]),
        prediction_sets=np.eye(3, dtype=bool),
        masks=rng.random((3, 64, 64)).astype(np.float16),
        saliency=rng.integers(0, 255, (3, 16, 16)).astype(np.uint8),
        perturbed={"blur": np.array([0, 2, 2]), "rotate_plus_10": np.array([1, 2, 1])},
        ms_per_image=12.5,
    )


def test_what_was_saved_is_loaded_and_what_was_not_there_stays_none(tmp_path):
    outputs = full_outputs()
    outputs.save(tmp_path / "deep" / "run.npz")
    again = Outputs.load(tmp_path / "deep" / "run.npz")
    assert again.image_ids == outputs.image_ids
    assert again.reasons == outputs.reasons
    assert again.ms_per_image == 12.5
    assert again.saliency_random is None
    assert again.subtypes is None
    for name in ("probabilities", "called", "withheld", "refused", "prediction_sets", "masks", "saliency"):
        np.testing.assert_array_equal(getattr(again, name), getattr(outputs, name))
    assert again.masks.dtype == np.float16
    assert sorted(again.perturbed) == ["blur", "rotate_plus_10"]
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["run.npz"]


def test_some_of_the_films_keep_their_own_answers():
    outputs = full_outputs()
    some = outputs.take(np.array([False, True, True]))
    assert some.image_ids == ["bb", "ccc"]
    assert some.reasons == [["unstable", "set_undecided"], []]
    assert some.perturbed["blur"].tolist() == [2, 2]
    assert some.subtypes is None
    np.testing.assert_array_equal(some.masks, outputs.masks[1:])
    assert outputs.take(np.array([2, 0])).image_ids == ["ccc", "a"]


def test_bare_answers_need_no_more_than_probabilities_and_calls(tmp_path):
    Outputs(["a"], np.array([[0.2, 0.3, 0.5]]), np.array([2])).save(tmp_path / "run.npz")
    again = Outputs.load(tmp_path / "run.npz")
    assert again.reasons is None
    assert again.perturbed == {}
    assert again.ms_per_image is None


@pytest.mark.parametrize(
    "change",
    [
        {"called": np.array([0])},
        {"probabilities": np.zeros((3, 2))},
        {"masks": np.zeros((2, 64, 64))},
        {"reasons": [[]]},
        {"perturbed": {"blur": np.zeros(5, dtype=int)}},
    ],
)
def test_answers_for_another_number_of_films_are_refused(change):
    fields = {**full_outputs().__dict__, **change}
    with pytest.raises(DataError) as refusal:
        Outputs(**fields)
    assert next(iter(change)) in refusal.value.message


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 truncated"])
def test_a_damaged_file_is_refused_by_name(tmp_path, content):
    path = tmp_path / "broken.npz"
    path.write_bytes(content)
    with pytest.raises(DataError) as refusal:
        Outputs.load(path)
    assert "broken.npz" in refusal.value.message


def test_an_archive_of_something_else_is_refused(tmp_path):
    np.savez(tmp_path / "other.npz", numbers=np.arange(3))
    with pytest.raises(DataError):
        Outputs.load(tmp_path / "other.npz")
