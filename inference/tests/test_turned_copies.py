"""Turned and mirrored copies of one film are one group, films of different limbs are not."""

import numpy as np
import pytest
from PIL import Image

from inference.lab.data.turned_copies import groups_of_turned_copies


def limb(seed):
    """A film with a few bones of its own, larger than the frame that a turn would cut."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:160, :160].astype(float)
    film = rng.uniform(20, 60) + np.zeros((160, 160))
    for _ in range(4):
        angle, offset, width = rng.uniform(0, np.pi), rng.uniform(-40, 40), rng.uniform(5, 14)
        across = (rows - 80) * np.cos(angle) + (columns - 80) * np.sin(angle) - offset
        film += rng.uniform(60, 120) * np.exp(-((across / width) ** 2))
    return Image.fromarray(np.clip(film, 0, 255).astype(np.uint8))


@pytest.mark.parametrize("angle", [7, 45, 90, 133, 180, 250, 351])
def test_a_film_and_its_turned_or_mirrored_copy_are_one_group(angle):
    film = limb(1)
    films = [film, film.rotate(angle), film.transpose(Image.Transpose.FLIP_LEFT_RIGHT).rotate(angle), limb(2)]
    assert groups_of_turned_copies(films).tolist() == [0, 0, 0, 1]


def test_films_of_different_limbs_stay_apart():
    assert groups_of_turned_copies([limb(seed) for seed in range(12)]).tolist() == list(range(12))


def test_a_darker_copy_of_less_contrast_is_the_same_film():
    film = limb(3)
    assert groups_of_turned_copies([film, film.point(lambda grey: grey // 2 + 20).rotate(30)]).tolist() == [0, 0]


def test_copies_are_joined_over_others_and_even_films_over_none():
    even = Image.new("L", (64, 64), 90)
    assert groups_of_turned_copies([even, even.copy(), limb(4)]).tolist() == [0, 1, 2]
    assert groups_of_turned_copies([]).tolist() == []
