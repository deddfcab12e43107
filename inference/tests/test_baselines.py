"""Baselines without a picture: each sees what it names and nothing else, and finds what is only collected."""

import csv
import json

import numpy as np
import pytest

from inference.__main__ import main
from inference.lab.data.appearance import (
    FRAME_FEATURES,
    age_group,
    border_shares,
    border_width,
    described,
    frame_features,
    orientation,
)
from inference.lab.data.folder import load_films
from inference.lab.transfer.baselines import guess, measure_baselines
from inference.tests.test_transplant import film
from inference.tests.toy import toy_data, toy_labelled


@pytest.fixture
def root(tmp_path):
    return toy_data(tmp_path / "data")


def _change(path, change):
    with path.open(newline="") as handle:
        rows = [change(row) for row in csv.DictReader(handle)]
    with path.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def test_an_age_that_tells_the_class_is_found_and_the_frame_is_not(root):
    number = {"normal": "20", "benign": "40", "malignant": "70"}
    with (root / "btxrd" / "labels.csv").open(newline="") as handle:
        labels = {row["image_id"]: row["label"] for row in csv.DictReader(handle)}
    _change(root / "btxrd" / "patients.csv", lambda row: row | {"age": number[labels[row["image_id"]]]})
    found = measure_baselines(root / "btxrd", "patient")
    assert found["known"]["macro_auroc"]["estimate"] == 1.0
    assert found["films"] == 60
    assert found["source"]["macro_auroc"]["estimate"] == 0.5


def test_the_centre_alone_is_measured_on_the_other_centre(root):
    _change(root / "btxrd" / "labels.csv", lambda row: row | {"centre": str(1 + int(row["group_id"]) % 2)})
    found = measure_baselines(root / "btxrd", "centre")
    assert found["films"] == 36
    assert found["source"]["macro_auroc"]["estimate"] == 0.5


def test_the_command_writes_every_row_with_its_words(root, tmp_path, capsys):
    out = tmp_path / "baselines.json"
    assert main(["baselines", "--data", str(root), "--json", str(out)]) == 0
    assert "no picture" in capsys.readouterr().out
    stored = json.loads(out.read_text())
    assert stored["command"].endswith("--json OUT")
    assert {"known", "frame", "source"} <= set(stored)


def test_a_class_that_no_training_film_has_gets_no_chance():
    rng = np.random.default_rng(1)
    p = guess(rng.normal(size=(40, 2)), rng.integers(0, 2, 40), rng.normal(size=(5, 2)))
    assert p.shape == (5, 3)
    assert not p[:, 2].any()


def test_borders_are_measured_on_each_side():
    square = film(1)
    assert border_width(square) == "none"
    square[:30] = 0
    square[:, -8:] = 255
    assert border_shares(square) == pytest.approx([30 / 256, 0, 0, 8 / 256], abs=1e-6)
    assert border_width(square) == "narrow"
    square[-30:] = 0
    assert border_width(square) == "wide"
    assert border_shares(np.zeros((64, 64), dtype=np.uint8)).tolist() == [1, 1, 1, 1]
    assert len(frame_features(square)) == FRAME_FEATURES


def test_the_way_a_limb_lies_is_told():
    assert orientation(film(2)) == "upright"
    assert orientation(np.ascontiguousarray(np.rot90(film(2)))) == "across"
    assert orientation(np.zeros((256, 256), dtype=np.uint8)) == "unclear"


def test_films_are_described_by_their_look_and_by_the_tables_beside_them(root):
    table = "image_id,site\nFILM004,tibia\n"
    (root / "btxrd" / "tumour_sites.csv").write_text(table)
    films = described(load_films(root / "btxrd")[:6])
    about = films[4].attributes
    assert {"limb": "lower limb", "age_group": "under 20", "tumour_site": "tibia"}.items() <= about.items()
    assert about["border"] == "none"
    assert "orientation" in about
    assert "tumour_site" not in films[0].attributes


def test_films_without_tables_of_patients_are_described_by_their_look_alone(tmp_path):
    (film,) = described(load_films(toy_labelled(tmp_path / "films", count=3))[:1])
    assert film.attributes["age_group"] == ""
    assert film.attributes["border"] == "none"


@pytest.mark.parametrize(("age", "group"), [("3", "under 20"), ("20", "20 to 39"), ("61.5", "60 and over"), ("", "")])
def test_ages_are_grouped_and_an_unknown_one_has_no_group(age, group):
    assert age_group(age) == group
