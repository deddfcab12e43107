"""Outlines in pixels and mm, and the ranking of subtypes."""

import importlib

import pytest
from django.apps import apps

from analyses.answers.lesions import lesions_of, no_mm_because, ranking_of
from analyses.tests.factories import REGION, SUBTYPES, ImageFactory, png_bytes, result

pytestmark = pytest.mark.django_db
CALIBRATED = {"image__pixel_spacing_mm": [0.2, 0.1], "image__spacing_source": "calibrated"}
PLANE = {"image__pixel_spacing_mm": [0.2, 0.2], "image__spacing_source": "detector plane, uncalibrated"}


def outlined(**fields):
    return result("malignant", regions=[REGION], image__film_bytes=png_bytes(400, 1000), **fields)


def test_a_region_is_drawn_in_canonical_pixels():
    lesion = lesions_of(outlined())[0]
    assert lesion.points == "100.0,250.0 300.0,250.0 300.0,500.0 100.0,500.0"
    assert lesion.box_px == [100.0, 250.0, 300.0, 500.0]
    assert lesion.box_size_px == (200.0, 250.0)


@pytest.mark.parametrize(
    ("fields", "words", "why"),
    [
        (CALIBRATED, "longest diameter 54 mm, area 1,000 mm²", ""),
        (PLANE, "longest diameter 320 px, area 50,000 px²", "detector plane, uncalibrated"),
        (
            PLANE | {"image__spacing_source": "calibration not stated"},
            "longest diameter 320 px, area 50,000 px²",
            "calibration not stated",
        ),
        ({}, "longest diameter 320 px, area 50,000 px²", "the file states no pixel spacing"),
    ],
)
def test_sizes_are_in_mm_only_where_the_film_is_calibrated(fields, words, why):
    analysis = outlined(**fields)
    assert lesions_of(analysis)[0].size_words == words
    assert no_mm_because(analysis.image) == why


def test_the_most_probable_region_is_number_one():
    fainter = REGION | {"probability": 0.4, "box": [0, 0, 0.1, 0.1]}
    found = lesions_of(result("malignant", regions=[fainter, REGION]))
    assert [(lesion.number, lesion.probability) for lesion in found] == [(1, 0.9), (2, 0.4)]


def test_a_film_without_a_canonical_image_has_no_outline():
    assert lesions_of(result("failed", regions=[REGION], image__stored=False)) == []


@pytest.mark.parametrize(("outcome", "ranked"), [("malignant", 4), ("benign", 4), ("normal", 0), ("withheld", 0)])
def test_subtypes_are_ranked_only_where_a_tumour_is_called(outcome, ranked):
    names = [name for name, _ in ranking_of(result(outcome, subtypes=SUBTYPES[::-1]))]
    assert names == [name for name, _ in SUBTYPES][:ranked]


def test_spacing_that_was_stored_as_one_number_becomes_a_pair_and_is_not_called_calibrated_for_a_projection():
    single = ImageFactory(pixel_spacing_mm=0.2, spacing_source="calibrated", header={"modality": "CR"})
    slice_ = ImageFactory(pixel_spacing_mm=0.4, spacing_source="calibrated", header={"modality": "MR"})
    pair = ImageFactory(pixel_spacing_mm=[0.2, 0.1], spacing_source="detector plane, uncalibrated")
    importlib.import_module("analyses.migrations.0004_spacing_of_rows_and_columns").pairs(apps, None)
    for image in (single, slice_, pair):
        image.refresh_from_db()
    assert (single.pixel_spacing_mm, single.spacing_source) == ([0.2, 0.2], "calibration not stated")
    assert (slice_.pixel_spacing_mm, slice_.spacing_source) == ([0.4, 0.4], "calibrated")
    assert (pair.pixel_spacing_mm, pair.spacing_source) == ([0.2, 0.1], "detector plane, uncalibrated")
