"""A data folder is read as it stands, and what is wrong with it is said with file and row before any training."""

import numpy as np
import pytest
from PIL import Image

from inference.errors import DataError
from inference.lab.data.folder import load_films, read_grey, read_masks, select
from inference.tests.toy import toy_data, toy_film


@pytest.fixture
def folder(tmp_path):
    return toy_data(tmp_path / "data") / "btxrd"


@pytest.fixture
def plain(tmp_path):
    """A folder of another hospital: images and labels only."""
    root = tmp_path / "plain"
    (root / "images").mkdir(parents=True)
    for number in range(3):
        Image.fromarray(toy_film(number)).save(root / "images" / f"x{number}.png")
    (root / "labels.csv").write_text("image_id,label\nx0,normal\nx1,benign\nx2,malignant\n")
    return root


def refusal_of(call) -> DataError:
    with pytest.raises(DataError) as refusal:
        call()
    return refusal.value


def test_images_and_labels_alone_are_enough(plain):
    films = load_films(plain)
    assert [(film.image_id, film.group_id, film.part, film.mask_path) for film in films] == [
        (f"x{number}", f"x{number}", "", None) for number in range(3)
    ]


def test_masks_parts_and_groups_are_taken_where_they_are_given(folder):
    films = load_films(folder)
    assert {film.part for film in films} == {"fold0", "fold1", "fold2", "fold3", "fold4", "test"}
    assert films[4].group_id == "2"
    assert all((film.mask_path is None) == (film.label == "normal") for film in films)


def test_another_table_of_labels_names_its_own_films_groups_and_parts(folder):
    other = folder / "second-reading.csv"
    other.write_text(
        "image_id,label,group_id,part\nFILM000,benign,a,late\nFILM001,normal,a,\nFILM009,malignant,,late\n"
    )
    films = load_films(folder, other)
    assert [(film.label, film.group_id, film.part) for film in films] == [
        ("benign", "a", "late"), ("normal", "a", ""), ("malignant", "FILM009", "late"),
    ]  # fmt: skip


def test_another_table_may_name_films_that_the_stored_split_does_not_know(folder):
    Image.fromarray(toy_film(1)).save(folder / "images" / "new.png")
    other = folder / "more.csv"
    other.write_text("image_id,label\nFILM000,normal\nFILM005,benign\nnew,malignant\n")
    assert [film.part for film in load_films(folder, other)] == ["fold0", "fold0", ""]


def test_a_mask_of_another_size_is_named_with_its_row(folder):
    Image.fromarray(np.zeros((96, 95), np.uint8)).save(folder / "masks" / "FILM005.png")
    error = refusal_of(lambda: load_films(folder))
    assert error.code == "mask_size"
    assert "labels.csv row 7: masks/FILM005.png is 95x96, its image 96x96" in error.message


@pytest.mark.parametrize("place", ["images", "masks"])
def test_a_file_that_is_no_image_is_named_with_its_row(folder, place):
    (folder / place / "FILM005.png").write_bytes(b"nothing")
    error = refusal_of(lambda: load_films(folder))
    assert error.code == "unreadable_image"
    assert "labels.csv row 7: FILM005.png" in error.message


def test_a_truncated_image_is_named_when_its_pixels_are_read(folder):
    path = folder / "images" / "FILM005.png"
    path.write_bytes(path.read_bytes()[:500])
    assert load_films(folder)
    error = refusal_of(lambda: read_grey(path))
    assert error.code == "unreadable_image"
    assert "FILM005.png" in error.message


@pytest.mark.parametrize(
    ("table", "code", "says"),
    [
        ("image_id,label\nx0,normal\nx1,benign\n", "empty_class", "labels.csv: no row of 2 has the label malignant"),
        ("image_id,label\nx0,normal\nx0,benign\n", "duplicate_id", "labels.csv row 3: x0"),
        ("image_id,label\nx0,normal\nx1,lipoma\n", "unknown_label", "labels.csv row 3: the label 'lipoma'"),
        ("image_id,label\nx0,normal\n,benign\n", "missing_id", "labels.csv row 3"),
        ("image_id,label\nx0,normal\n../plain/images/x1,benign\n", "missing_image", "labels.csv row 3"),
        ("image_id,label\nx0,normal\nx1\n", "broken_row", "labels.csv row 3"),
        ("image_id,label\nx0,normal,odd\n", "broken_row", "labels.csv row 2"),
        ("image_id,label\n", "missing_column", "labels.csv has no rows"),
        ("name,label\nx0,normal\n", "missing_column", "image_id"),
    ],
)
def test_a_wrong_table_is_named_with_its_row(plain, table, code, says):
    (plain / "labels.csv").write_text(table)
    error = refusal_of(lambda: load_films(plain))
    assert error.code == code
    assert says in error.message


def test_a_table_that_is_no_text_is_refused(plain):
    (plain / "labels.csv").write_bytes(b"image_id,label\n\xff\xfe,normal\n")
    assert refusal_of(lambda: load_films(plain)).code == "unreadable_table"


def test_a_missing_table_is_named(plain):
    (plain / "labels.csv").unlink()
    assert "labels.csv is missing" in refusal_of(lambda: load_films(plain)).message


def test_a_table_as_a_spreadsheet_writes_it_is_read(plain):
    (plain / "labels.csv").write_bytes(b"\xef\xbb\xbfimage_id,label\r\nx0,normal\r\nx1,benign\r\nx2,malignant\r\n")
    assert [film.image_id for film in load_films(plain)] == ["x0", "x1", "x2"]


def test_an_id_that_occurs_twice_in_the_stored_split_is_refused(folder):
    path = folder / "folds.csv"
    path.write_text(path.read_text() + "FILM003,test\n")
    error = refusal_of(lambda: load_films(folder))
    assert error.code == "duplicate_id"
    assert "folds.csv row 74" in error.message


def test_a_film_without_a_part_is_refused_by_the_stored_split(folder):
    path = folder / "folds.csv"
    path.write_text(path.read_text().replace("FILM003,fold0\n", ""))
    error = refusal_of(lambda: load_films(folder))
    assert error.code == "no_part"
    assert "labels.csv row 5" in error.message


def test_a_part_without_a_class_cannot_be_chosen(folder):
    films = [film for film in load_films(folder) if (film.part, film.label) != ("fold4", "benign")]
    assert "fold4 hold no benign film" in refusal_of(lambda: select(films, ("fold4",))).message


def test_a_folder_of_normal_films_can_be_read_when_no_class_is_demanded(plain):
    (plain / "labels.csv").write_text("image_id,label\nx0,normal\n")
    assert len(load_films(plain, classes=())) == 1


def test_a_lesion_of_one_pixel_in_a_large_film_still_marks_its_cell(plain):
    (plain / "masks").mkdir()
    for name in ("x0", "x1"):
        Image.fromarray(toy_film(1, side=2000)).save(plain / "images" / f"{name}.png")
        mask = np.zeros((2000, 2000), bool)
        mask[999, 1500] = name == "x1"
        Image.fromarray(mask).save(plain / "masks" / f"{name}.png")
    masks = read_masks(load_films(plain), 16)
    assert masks.shape == (3, 16, 16)
    assert masks.dtype == np.uint8
    assert [np.argwhere(mask).tolist() for mask in masks] == [[], [[7, 12]], []]


def test_a_deep_image_is_read_as_the_portal_reads_it(plain):
    deep = toy_film(4).astype(np.uint16) * 16
    Image.fromarray(deep).save(plain / "images" / "x0.png")
    grey = read_grey(load_films(plain)[0].path)
    assert grey.dtype == np.uint8
    assert np.corrcoef(grey.ravel(), deep.ravel())[0, 1] > 0.99
    assert grey.max() == 255


def test_ids_may_carry_the_suffix_of_their_file(tmp_path):
    root = toy_data(tmp_path / "data") / "btxrd"
    table = root / "with_suffix.csv"
    lines = (root / "labels.csv").read_text().splitlines()
    table.write_text("\n".join([lines[0], *(line.replace(",", ".png,", 1) for line in lines[1:])]))
    films = load_films(root, table)
    assert [film.image_id for film in films] == [film.image_id for film in load_films(root)]
    assert [film.part for film in films] == [film.part for film in load_films(root)]
