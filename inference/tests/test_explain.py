"""Grad-CAM and its picture, where the right answer is known."""

import io

import numpy as np
import torch
from PIL import Image

from inference.imaging.overlay import MAX_SIDE_PX, colour_table, saliency_png
from inference.saliency import grad_cam


def test_the_map_shows_the_channel_that_raises_the_score_and_not_the_one_that_lowers_it():
    maps = torch.zeros(1, 2, 8, 8)
    maps[0, 0, 1, 2] = 5.0
    maps[0, 1, 6, 6] = 5.0
    shown = grad_cam(maps, lambda m: m[:, 0].sum(dim=(1, 2)) - 3 * m[:, 1].sum(dim=(1, 2)), side=8)
    assert np.unravel_index(shown.argmax(), shown.shape) == (1, 2)
    assert shown.max() == 255
    assert shown[6, 6] == 0


def test_a_score_that_nothing_raises_gives_an_empty_map():
    shown = grad_cam(torch.ones(1, 1, 4, 4), lambda m: -m.sum(dim=(1, 2, 3)), side=16)
    assert shown.shape == (16, 16)
    assert not shown.any()


def test_it_works_inside_no_grad_and_leaves_no_gradient_behind():
    maps = torch.ones(1, 1, 4, 4)
    with torch.no_grad():
        assert grad_cam(maps, lambda m: m.sum(dim=(1, 2, 3))).max() == 255
    assert maps.grad is None


def test_the_picture_has_the_films_proportions_and_is_clear_where_nothing_was_found():
    saliency = np.zeros((56, 56), dtype=np.uint8)
    saliency[:8, :8] = 255
    picture = Image.open(io.BytesIO(saliency_png(saliency, 3000, 1500))).convert("RGBA")
    assert picture.size == (MAX_SIDE_PX, MAX_SIDE_PX // 2)
    assert picture.getpixel((5, 5))[3] > 100
    assert picture.getpixel((MAX_SIDE_PX - 6, MAX_SIDE_PX // 2 - 6))[3] == 0


def test_the_ramp_grows_lighter_with_the_value():
    table = colour_table().astype(float)
    lightness = table[:, :3] @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(lightness) >= 0).all()
    assert (np.diff(table[:, 3]) >= 0).all()
