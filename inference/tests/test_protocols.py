"""A protocol gives the same lists for ever, keeps patients on one side, and does not let its split be swapped."""

import csv

import pytest

from inference.errors import DataError
from inference.lab.data.folder import file_sha256
from inference.lab.data.protocols import PROTOCOLS, RECIPES, load_split, read_recipes
from inference.tests.toy import toy_data


@pytest.fixture
def folder(tmp_path):
    """The toy films, each group in centre 1 or 2."""
    root = toy_data(tmp_path / "data") / "btxrd"
    with (root / "labels.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    with (root / "labels.csv").open("w", newline="") as handle:
        writer = csv.DictWriter(handle, fieldnames=[*rows[0], "centre"])
        writer.writeheader()
        writer.writerows(row | {"centre": str(1 + int(row["group_id"]) % 2)} for row in rows)
    return root


def ids(films):
    return {film.image_id for film in films}


@pytest.mark.parametrize("name", PROTOCOLS)
def test_the_lists_share_no_film_and_every_one_has_every_class(folder, name):
    split = load_split(folder, name)
    lists = [split.train, split.validation, split.test]
    assert sum(map(len, lists)) == len(ids(split.train) | ids(split.validation) | ids(split.test)) == 72
    assert all({film.label for film in films} == {"normal", "benign", "malignant"} for films in lists)


def test_grouped_trains_on_four_folds_and_leaves_the_frozen_part_alone(folder):
    split = load_split(folder, "grouped", held_out="fold2")
    assert {film.part for film in split.train} == {"fold0", "fold1", "fold3", "fold4"}
    assert {film.part for film in split.validation} == {"fold2"}
    assert {film.part for film in split.test} == {"test"}


def test_patient_draws_over_patients_and_knows_what_is_known_of_them(folder):
    split = load_split(folder, "patient", held_out="fold2")
    assert {film.part for film in split.validation} == {"fold2"}
    film = split.train[0]
    assert (film.group_id, film.attributes["group_id"], film.attributes["age"]) == ("patient 0", "0", "10")


def _rewrite(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_films_of_test_patients_that_stood_in_a_fold_are_on_no_list_of_patient(folder):
    _rewrite(folder / "folds_patient.csv", "FILM000,fold0", "FILM000,excluded")
    split = load_split(folder, "patient")
    assert "FILM000" not in ids(split.train) | ids(split.validation) | ids(split.test)
    assert "FILM001" in ids(split.train)


@pytest.mark.parametrize(
    ("name", "old", "new", "code"),
    [
        ("folds_patient.csv", "FILM000,fold0", "FILM000,fold4", "crossing_group"),
        ("folds_patient.csv", "FILM000,fold0", "FILM000,fold9", "no_part"),
        ("folds_patient.csv", "FILM001,fold0", "FILM000,fold0", "duplicate_id"),
        ("patients.csv", "FILM000,0,", "FILM999,0,", "no_patient"),
        ("patients.csv", "FILM000,0,", "FILM000,,", "broken_row"),
    ],
)
def test_tables_of_patients_that_do_not_fit_are_refused(folder, name, old, new, code):
    _rewrite(folder / name, old, new)
    with pytest.raises(DataError) as refusal:
        load_split(folder, "patient")
    assert refusal.value.code == code


def test_a_group_of_neighbouring_ids_may_not_cross_the_folds_of_patients_either(folder):
    _rewrite(folder / "folds_patient.csv", "FILM000,fold0", "FILM000,fold4")
    _rewrite(folder / "patients.csv", "FILM000,0,", "FILM000,99,")
    with pytest.raises(DataError) as refusal:
        load_split(folder, "patient")
    assert refusal.value.code == "crossing_group"


def test_centre_chooses_on_one_place_and_tests_on_the_whole_other(folder):
    split = load_split(folder, "centre")
    assert {film.attributes["centre"] for film in split.train + split.validation} == {"1"}
    assert {film.attributes["centre"] for film in split.test} == {"2"}
    assert {film.part for film in split.validation} == {"fold4"}
    assert "test" in {film.part for film in split.train}
    assert len(split.test) == 36


def test_paper_divides_single_images_eighty_ten_ten(folder):
    split = load_split(folder, "paper")
    assert [len(split.train), len(split.validation), len(split.test)] == [58, 7, 7]
    assert {film.group_id for film in split.train} & {film.group_id for film in split.test}
    assert split.sha256 == load_split(folder, "paper").sha256


def test_the_hash_follows_the_assignment(folder):
    hashes = {load_split(folder, name, fold).sha256 for name in ("grouped", "centre") for fold in ("fold0", "fold1")}
    assert len(hashes) == 4


def test_the_known_table_with_another_split_is_refused(folder, tmp_path):
    recipes = RECIPES.read_text().replace(read_recipes()["labels_sha256"], file_sha256(folder / "labels.csv"))
    stored = tmp_path / "protocols.toml"
    stored.write_text(
        recipes.replace(read_recipes()["grouped"]["sha256"]["fold4"], load_split(folder, "grouped").sha256)
    )
    assert load_split(folder, "grouped", stored=stored).test
    folds = folder / "folds.csv"
    text = folds.read_text()
    folds.write_text(text.replace("FILM000,fold0", "FILM000,fold1").replace("FILM001,fold0", "FILM001,fold1"))
    assert load_split(folder, "grouped", stored=stored).test  # fold0 and fold1 both train: the assignment is the same
    folds.write_text(text.replace("FILM000,fold0", "FILM000,fold4").replace("FILM001,fold0", "FILM001,fold4"))
    with pytest.raises(DataError) as refusal:
        load_split(folder, "grouped", stored=stored)
    assert refusal.value.code == "other_split"


def test_a_group_on_two_lists_is_refused_with_both_films(folder):
    folds = folder / "folds.csv"
    folds.write_text(folds.read_text().replace("FILM001,fold0", "FILM001,test"))
    with pytest.raises(DataError, match=r"FILM000 into train and FILM001 of its group into test") as refusal:
        load_split(folder, "grouped")
    assert refusal.value.code == "crossing_group"


@pytest.mark.parametrize(
    ("name", "held_out", "code"),
    [("random", "fold4", "unknown_protocol"), ("grouped", "test", "unknown_fold")],
)
def test_names_that_do_not_exist_are_refused(folder, name, held_out, code):
    with pytest.raises(DataError) as refusal:
        load_split(folder, name, held_out)
    assert refusal.value.code == code


def test_a_folder_without_parts_or_centres_serves_paper_only(tmp_path):
    root = toy_data(tmp_path / "data") / "btxrd"
    with pytest.raises(DataError, match="centre"):
        load_split(root, "centre")
    (root / "folds.csv").unlink()
    with pytest.raises(DataError, match=r"folds\.csv is missing"):
        load_split(root, "grouped")
    assert load_split(root, "paper").test


def test_the_real_folder_gives_the_stored_assignments(data_dir):
    folder = data_dir / "btxrd"
    assert file_sha256(folder / "labels.csv") == read_recipes()["labels_sha256"]
    sizes = {}
    for name in PROTOCOLS:
        split = load_split(folder, name)  # refuses another assignment than the stored one
        sizes[name] = (len(split.train), len(split.validation), len(split.test))
    assert sizes.pop("patient") == (2301, 596, 551)
    assert sizes == {"grouped": (2336, 596, 551), "centre": (2437, 497, 549), "paper": (2787, 348, 348)}
