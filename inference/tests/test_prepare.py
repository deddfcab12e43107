"""What the networks read: one size, one range, the same for a film and its small copy."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inference.imaging.canonical import MAX_SIDE_PX, canonical_sha256, canonicalise, encode_png
from inference.imaging.prepare import common_square, model_input
from inference.tests.toy import toy_film


def data_folder() -> Path:
    folder = Path(os.environ.get("BONESCAN_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")
    if not folder.is_dir():
        pytest.skip("no data folder: set BONESCAN_DATA")
    return folder


@pytest.mark.parametrize("shape", [(1, 1), (40, 300), (256, 256), (512, 512), (1700, 900)])
def test_any_shape_becomes_a_square_between_0_and_1(shape):
    image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    prepared = model_input(image, 224)
    assert prepared.shape == (224, 224)
    assert prepared.dtype == np.float32
    assert 0 <= prepared.min() <= prepared.max() <= 1


def test_a_film_and_its_256_px_copy_give_nearly_the_same_input():
    film = Image.fromarray(toy_film(1, lesion=60, side=1400))
    copy = np.asarray(film.resize((256, 256), Image.Resampling.BOX))
    assert np.abs(model_input(np.asarray(film)) - model_input(copy)).max() < 0.01


def test_fine_patterns_are_averaged_not_aliased():
    stripes = np.zeros((2048, 2048), dtype=np.uint8)
    stripes[:, ::2] = 200
    assert np.abs(common_square(stripes).astype(int) - 100).max() <= 1


def test_a_stretch_keeps_left_left_and_top_top():
    film = np.zeros((600, 300), dtype=np.uint8)
    film[:100, :50] = 255
    square = common_square(film)
    assert square[5, 5] == 255
    assert square[-5, 5] == square[5, -5] == 0


def test_an_oversized_image_is_shrunk_in_proportion():
    small = canonicalise(np.full((MAX_SIDE_PX * 2, 100), 7, dtype=np.uint8))
    assert small.shape == (MAX_SIDE_PX, 50)
    assert set(np.unique(small)) == {7}


@pytest.mark.parametrize("wrong", [np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4)), np.zeros((0, 4), np.uint8)])
def test_what_is_no_grey_uint8_image_is_rejected(wrong):
    with pytest.raises(ValueError, match="canonical"):
        canonicalise(wrong)


def test_the_hash_tells_shapes_apart_and_survives_a_png(tmp_path):
    image = np.arange(12, dtype=np.uint8).reshape(3, 4)
    assert canonical_sha256(image) != canonical_sha256(image.reshape(4, 3))
    path = tmp_path / "image.png"
    path.write_bytes(encode_png(image))
    assert canonical_sha256(np.asarray(Image.open(path))) == canonical_sha256(image)


def test_real_originals_answer_like_their_copies():
    from inference.predictor import Predictor

    folder = data_folder() / "btxrd"
    predictor = Predictor.load()
    gaps = []
    for path in sorted((folder / "full_size").glob("*.jpeg"))[:10]:
        with Image.open(path) as full, Image.open(folder / "images" / f"{path.stem}.webp") as copy:
            answers = [
                predictor.judge(np.asarray(image.convert("L"))).probabilities["malignant"] for image in (full, copy)
            ]
        gaps.append(abs(answers[0] - answers[1]))
    assert float(np.median(gaps)) <= 0.02
    assert max(gaps) <= 0.10
