"""Tumour-free films of other sources: all normal, held-out folds and whole sources apart, no knee on two sides."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from inference.__main__ import main
from inference.errors import DataError
from inference.lab.data.folder import file_sha256
from inference.lab.data.protocols import RECIPES, read_recipes
from inference.lab.data.sources import SOURCES, load_source, load_sources, parts_sha256
from inference.tests.toy import toy_data, toy_sources


@pytest.fixture
def root(tmp_path):
    return toy_sources(toy_data(tmp_path / "data"))


def _parts(source):
    return {film.part for film in source.films}


def test_every_film_of_a_source_is_normal_and_names_its_source(root):
    for name in SOURCES:
        films = load_source(root, name).films
        assert {(film.label, film.attributes["source"]) for film in films} == {("normal", name)}


def test_what_is_left_out_is_on_no_other_list_and_test_is_on_none(root):
    found = load_sources(root, left_out=("hands", "bone_other_source"))
    assert [source.name for source in found.train] == ["fracatlas", "fractures", "knees"]
    assert [_parts(source) for source in found.train] == [{"fold0"}, {"fold0"}, {"fold0"}]
    assert [_parts(source) for source in found.validation] == [{"fold4"}, {"fold4"}, {"fold4"}]
    assert found.names_left_out == ("hands", "bone_other_source")
    assert [_parts(source) for source in found.left_out] == [{"fold0", "fold4"}, {""}]


@pytest.mark.parametrize("named", ["fracatlas", "fractures"])
def test_who_leaves_out_one_source_of_a_hospital_leaves_out_the_other(root, named):
    found = load_sources(root, left_out=(named,))
    assert found.names_left_out == ("fracatlas", "fractures")
    assert [source.name for source in found.train] == ["knees", "hands", "bone_other_source"]


def test_films_with_a_fracture_are_a_source_of_their_own(root):
    broken = {film.image_id for film in load_source(root, "fractures").films}
    assert broken == {f"F{number}" for number in range(18, 24)}
    assert broken.isdisjoint(film.image_id for film in load_source(root, "fracatlas").films)


def test_films_with_a_fracture_or_with_a_twin_in_another_source_are_not_among_the_unbroken(root):
    table = root / "fracatlas" / "labels.csv"
    rows = table.read_text().replace("F00,0,0,not_fractured", "F00,0,0,fractured")
    table.write_text(rows.replace("F01,0,0,not_fractured,leg,0", "F01,0,0,not_fractured,leg,1"))
    assert {"F00", "F01"}.isdisjoint(film.image_id for film in load_source(root, "fracatlas").films)


@pytest.mark.parametrize(
    ("file", "old", "new", "code"),
    [
        ("knees/folds.csv", "K00,fold0", "K00,fold4", "crossing_group"),
        ("knees/folds.csv", "K00,fold0", "K99,fold0", "no_part"),
        ("hands/labels.csv", "H00,", "H99,", "missing_image"),
    ],
)
def test_a_source_with_a_hole_is_refused(root, file, old, new, code):
    path = root / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(DataError) as refusal:
        load_sources(root)
    assert refusal.value.code == code


def test_an_unknown_or_empty_source_is_refused(root):
    with pytest.raises(DataError, match="none of"):
        load_source(root, "moon")
    with pytest.raises(DataError, match="left out"):
        load_sources(root, names=("knees",), left_out=("hands",))
    for path in (root / "gate" / "bone_other_source").iterdir():
        path.unlink()
    with pytest.raises(DataError, match="no film"):
        load_source(root, "bone_other_source")


def test_beside_the_known_table_a_source_with_other_parts_is_refused(root, tmp_path):
    text = RECIPES.read_text().replace(read_recipes()["labels_sha256"], file_sha256(root / "btxrd" / "labels.csv"))
    stored = tmp_path / "protocols.toml"
    for name in SOURCES:
        text = text.replace(read_recipes()["sources"]["sha256"][name], parts_sha256(load_source(root, name)))
    stored.write_text(text)
    assert load_sources(root, stored=stored).train
    folds = root / "hands" / "folds.csv"
    folds.write_text(folds.read_text().replace("H00,fold0", "H00,fold1"))
    with pytest.raises(DataError) as refusal:
        load_sources(root, stored=stored)
    assert refusal.value.code == "other_split"


def _make_all_different(root):
    """Overwrite every film with a pattern of its own: the toy films are all of one kind."""
    paths = sorted(
        path for folder in ("btxrd/images", "fracatlas", "knees", "hands") for path in (root / folder).rglob("*.png")
    )
    paths += sorted((root / "gate" / "bone_other_source").glob("*.png"))
    for seed, path in enumerate(paths):
        coarse = np.random.default_rng(seed).integers(0, 255, (12, 12)).astype(np.uint8)
        with Image.open(path) as old:
            size = old.size
        Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).save(path)


def test_sources_that_share_no_film_pass_and_a_copy_in_another_source_condemns(root, capsys):
    _make_all_different(root)
    assert main(["leakage", str(root), "--sources"]) == 0
    assert capsys.readouterr().out.count("passed") == len(SOURCES)
    shutil.copy(root / "hands" / "images" / "H00.png", root / "knees" / "images" / "K03.png")
    assert main(["leakage", str(root), "--sources", f"--json={root / 'verdict.json'}"]) == 3
    told = json.loads((root / "verdict.json").read_text())
    assert {name for name, verdict in told.items() if verdict["condemned"]} == {"hands", "knees"}


def test_a_copy_of_a_tumour_film_among_the_normal_ones_condemns_and_test_films_are_not_read(root):
    _make_all_different(root)
    images = root / "btxrd" / "images"
    (images / "FILM060.png").write_bytes((root / "hands" / "images" / "H01.png").read_bytes())
    assert main(["leakage", str(root), "--sources"]) == 0
    shutil.copy(images / "FILM004.png", root / "fracatlas" / "images" / "F05.png")
    assert main(["leakage", str(root), "--sources"]) == 3


def test_sources_are_compared_within_one_data_folder_only(root):
    assert main(["leakage", str(root), str(root), "--sources"]) == 2
