"""The leakage check finds copies however they were turned or saved, and lets different films of one kind pass."""

import argparse
import csv
import json

import numpy as np
import pytest
from PIL import Image, ImageFilter

from inference.errors import DataError
from inference.lab.data.folder import LabelledFilm, load_films
from inference.lab.data.leakage import condemned, name_pattern, names_tell, trained_on
from inference.lab.data.leakage_commands import add_leakage, load_own_split
from inference.lab.data.perceptual import POSITIONS, TWIN_THRESHOLD, fingerprints, nearest
from inference.tests.toy import toy_data


def made_film(seed: int) -> Image.Image:
    """A bright shaft with a texture of its own: alike in layout, different in detail."""
    rng = np.random.default_rng(seed)
    texture = Image.fromarray(rng.integers(0, 255, (20, 20), dtype=np.uint8)).resize(
        (160, 160), Image.Resampling.BICUBIC
    )
    shaft = np.where(np.abs(np.arange(160) - 80) < 30, 150.0, 30.0)[None, :]
    return Image.fromarray(np.clip(shaft + np.asarray(texture) * 0.4, 0, 255).astype(np.uint8))


def write_films(folder, images: dict[str, Image.Image], label: str = "normal", group: str = "") -> list[LabelledFilm]:
    folder.mkdir(parents=True, exist_ok=True)
    films = []
    for name, image in images.items():
        image.save(folder / name)
        films.append(LabelledFilm(name, label, group or name, "", folder / name, {"group_id": group}))
    return films


@pytest.fixture
def train(tmp_path):
    return write_films(tmp_path / "train", {f"a{seed}.png": made_film(seed) for seed in range(30)})


def test_different_films_of_one_kind_pass(train, tmp_path):
    test = write_films(tmp_path / "test", {f"b{seed}.png": made_film(seed) for seed in range(100, 130)})
    verdict = condemned(train, test)
    assert not verdict.condemns
    assert (verdict.identical, verdict.twins, verdict.shared_groups) == ([], [], [])
    assert verdict.sentence().startswith("passed: of 30 test images 0 are identical")


def test_identical_bytes_condemn_whatever_the_name(train, tmp_path):
    test = write_films(tmp_path / "test", {"other.png": made_film(7), "new.png": made_film(99)})
    verdict = condemned(train, test)
    assert verdict.identical == [("other.png", "a7.png")]
    assert "identical_bytes" in verdict.reasons


@pytest.mark.parametrize("position", range(8))
def test_a_turned_or_mirrored_copy_is_a_twin_and_its_position_is_said(train, tmp_path, position):
    original = np.asarray(made_film(5))
    # What turns the copy back is `position`, so the copy itself is made with the inverse.
    copy = np.rot90(original, -(position % 4)) if position < 4 else np.rot90(original, -(position % 4))[:, ::-1]
    test = write_films(tmp_path / "test", {"copy.jpg": Image.fromarray(np.ascontiguousarray(copy))})
    (twin,) = condemned(train, test).twins
    assert (twin.test_id, twin.train_id, twin.position) == ("copy.jpg", "a5.png", POSITIONS[position])
    assert twin.correlation > 0.9


CHANGES = {
    "saved small and coarse": lambda image: image.resize((96, 96)),
    "enlarged": lambda image: image.resize((400, 400), Image.Resampling.BICUBIC),
    "stretched": lambda image: image.resize((300, 120), Image.Resampling.BICUBIC),
    "as a negative": lambda image: Image.eval(image, lambda value: 255 - value),
    "brighter": lambda image: Image.eval(image, lambda value: int(255 * (value / 255) ** 0.7)),
    "flatter": lambda image: Image.eval(image, lambda value: int(60 + value * 0.5)),
    "blurred": lambda image: image.filter(ImageFilter.GaussianBlur(1.5)),
    "cut by a hundredth": lambda image: image.crop((2, 2, 158, 158)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_a_twin_but_not_identical(train, tmp_path, change):
    test = write_films(tmp_path / "test", {"copy.jpg": CHANGES[change](made_film(11))})
    verdict = condemned(train, test)
    assert verdict.identical == []
    assert [(twin.train_id, twin.inverted) for twin in verdict.twins] == [("a11.png", change == "as a negative")]
    assert verdict.reasons == ["twins"]


def test_up_to_one_twin_in_a_hundred_is_counted_and_forgiven(train, tmp_path):
    fresh = {f"b{seed}.png": made_film(seed) for seed in range(200, 299)}
    one = write_films(tmp_path / "one", fresh | {"copy.jpg": made_film(3)})
    two = write_films(tmp_path / "two", fresh | {"copy.jpg": made_film(3), "again.jpg": made_film(4)})
    prints = fingerprints([film.path for film in train])
    forgiven, refused = condemned(train, one, prints), condemned(train, two, prints)
    assert (len(forgiven.twins), forgiven.twin_share, forgiven.condemns) == (1, 0.01, False)
    assert (len(refused.twins), refused.reasons) == (2, ["twins"])


def test_a_shared_group_condemns_unless_the_tables_number_independently(train, tmp_path):
    known = write_films(tmp_path / "known", {"k.png": made_film(50)}, group="patient-1")
    test = write_films(tmp_path / "test", {"b.png": made_film(51)}, group="patient-1")
    assert condemned(known, test).shared_groups == ["patient-1"]
    assert condemned(known, test).reasons == ["shared_groups"]
    assert not condemned(known, test, same_groups=False).condemns


def test_films_without_a_group_share_none_even_under_one_name(tmp_path):
    here = write_films(tmp_path / "here", {"1.png": made_film(1)})
    there = write_films(tmp_path / "there", {"1.png": made_film(2)})
    assert not condemned(here, there).condemns


def test_copies_of_an_empty_picture_are_twins_and_other_empty_pictures_are_not(tmp_path):
    black, grey = (Image.new("L", (64, 64), value) for value in (0, 90))
    verdict = condemned(
        write_films(tmp_path / "a", {"x.png": black}), write_films(tmp_path / "b", {"y.png": black, "z.png": grey})
    )
    assert [twin.test_id for twin in verdict.twins] == ["y.png"]


def test_names_are_compared_without_digits_and_hashes():
    assert name_pattern("IMG000123.webp") == name_pattern("IMG000999.webp") == "IMG.webp"
    assert name_pattern("femur_12_PNG.rf.c86c6a6f38a20c93381ce6b467bc0727.jpg") == "femur__PNG.rf..jpg"


def test_names_that_give_the_label_away_are_measured_against_the_commonest_label(tmp_path):
    def named(name, label):
        return LabelledFilm(name, label, name, "", tmp_path / name, {})

    train = [named(f"tumour{n}.png", "malignant") for n in range(3)] + [
        named(f"plain{n}.png", "normal") for n in range(4)
    ]
    test = [
        named("tumour77.png", "malignant"),
        named("plain78.png", "normal"),
        named("new.png", "normal"),
        named("?.png", ""),
    ]
    names = names_tell(train, test)
    assert (names.n, names.right, names.majority_right, names.telling) == (3, 3, 2, True)
    numbered = [named(f"IMG{n}.png", "malignant" if n < 3 else "normal") for n in range(9)]
    blind = names_tell(numbered[::2], numbered[1::2])
    assert (blind.right, blind.telling) == (blind.majority_right, False)


def test_the_training_images_of_a_card_are_recognised_by_their_bytes(train, tmp_path):
    test = write_films(tmp_path / "test", {"x.png": made_film(4), "y.png": made_film(400)})
    hashes = fingerprints([film.path for film in train]).sha256
    assert trained_on(test, hashes) == ["x.png"]


def test_an_empty_list_and_an_unreadable_image_are_refused(train, tmp_path):
    with pytest.raises(DataError) as refusal:
        condemned(train, [])
    assert refusal.value.code == "empty_list"
    train[3].path.write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"a3\.png"):
        condemned(train, train[:1])


def run(*arguments) -> int:
    parser = argparse.ArgumentParser()
    add_leakage(parser.add_subparsers(required=True))
    options = parser.parse_args(["leakage", *map(str, arguments)])
    return options.run(options)


def test_the_command_compares_two_tables_and_writes_its_verdict(tmp_path, capsys):
    folder = toy_data(tmp_path / "data") / "btxrd"
    rows = (folder / "labels.csv").read_text().splitlines()
    for name, chosen in (("a.csv", rows[1:37]), ("b.csv", rows[37:])):
        (tmp_path / name).write_text("\n".join([rows[0], *chosen]) + "\n")
    status = run(tmp_path / "a.csv", tmp_path / "a.csv", "--images", folder, "--json", tmp_path / "out.json")
    assert status == 3
    verdict = json.loads((tmp_path / "out.json").read_text())
    assert (verdict["condemned"], verdict["test_images"], verdict["identical_test_images"]) == (True, 36, 36)
    assert verdict["examples"]["identical"][0] == ["FILM000", "FILM000"]
    assert "condemned: of 36 test images 36 are identical" in capsys.readouterr().out
    (tmp_path / "b.csv").write_text((tmp_path / "b.csv").read_text().replace("FILM036", "FILM999"))
    with pytest.raises(DataError, match=r"b\.csv row 2"):
        run(tmp_path / "a.csv", tmp_path / "b.csv", "--images", folder)


def test_the_command_says_passed_for_films_that_have_nothing_in_common(train, tmp_path, capsys):
    write_films(tmp_path / "test", {f"b{seed}.png": made_film(seed) for seed in range(300, 310)})
    assert run(tmp_path / "train", tmp_path / "test") == 0
    assert capsys.readouterr().out.startswith("passed")


def test_the_command_takes_a_stored_protocol(tmp_path):
    folder = toy_data(tmp_path / "data") / "btxrd"
    assert run(folder, "--protocol", "paper") == 3  # two films of each group: a split by image parts some of them
    assert run("--images", folder, "--labels", folder / "labels.csv", "--protocol", "paper") == 3


@pytest.mark.parametrize(
    "arguments", [[], ["a", "b", "c"], ["a", "b", "--protocol", "paper"], ["a", "b", "--labels", "c"]]
)
def test_lists_that_do_not_go_together_are_refused(arguments):
    with pytest.raises(DataError) as refusal:
        run(*arguments)
    assert refusal.value.code == "bad_lists"


def test_a_folder_with_a_split_of_its_own_is_compared_with_itself(tmp_path):
    root = tmp_path / "own"
    write_films(root / "train", {"cancer_1.png": made_film(1), "normal_2.png": made_film(2)})
    write_films(root / "valid", {"cancer_3.png": made_film(3)})
    write_films(root / "test", {"cancer_4.png": made_film(3), "normal_5.png": made_film(5)})
    table = "split,file,label\ntrain,cancer_1.png,cancer\ntrain,normal_2.png,normal\nvalid,cancer_3.png,cancer\n"
    table += "test,cancer_4.png,cancer\ntest,normal_5.png,\n"
    (root / "labels.csv").write_text(table)
    train, test = load_own_split(root)
    verdict = condemned(train, test)
    assert verdict.identical == [("test/cancer_4.png", "valid/cancer_3.png")]
    assert verdict.identical_by_part == {"valid": 1}
    assert verdict.names.n == 1
    assert run(root) == 3
    (root / "labels.csv").write_text(table + "test,../train/cancer_1.png,cancer\n")
    with pytest.raises(DataError, match=r"labels\.csv row 7"):
        load_own_split(root)
    (root / "labels.csv").write_text(table + "later,cancer_1.png,cancer\n")
    with pytest.raises(DataError, match=r"labels\.csv row 7.*'later'"):
        load_own_split(root)


@pytest.mark.slow
def test_the_leaky_control_is_condemned(data_dir):
    verdict = condemned(*load_own_split(data_dir / "leaky_control"))
    assert verdict.reasons == ["identical_bytes", "twins"]
    assert verdict.identical_by_part == {"train": 163, "valid": 16}
    assert len(verdict.twins) >= 350
    assert verdict.names.telling
    assert verdict.names.right / verdict.names.n > 0.998


def test_grouped_has_no_twin_of_a_malignant_test_film(data_dir):
    films = load_films(data_dir / "btxrd")
    test = [film for film in films if film.part == "test" and film.label == "malignant"]
    verdict = condemned([film for film in films if film.part == "fold0"], test)
    assert (len(test), verdict.condemns, verdict.twins) == (47, False, [])


def test_the_threshold_lies_between_different_knees_and_coarse_copies(data_dir, tmp_path):
    with (data_dir / "btxrd" / "folds.csv").open(newline="") as handle:
        chosen = [row["image_id"] for row in csv.DictReader(handle) if row["part"] == "test"][::9]
    originals = [data_dir / "btxrd" / "images" / f"{name}.webp" for name in chosen]
    copies = []
    for path in originals:
        copies.append(tmp_path / f"{path.stem}.jpg")
        with Image.open(path) as image:
            image.convert("L").resize((64, 64)).save(copies[-1], quality=20)
    own, coarse = fingerprints(originals), fingerprints(copies)
    matches = nearest(coarse.maps, own.maps)
    assert sum(match.correlation >= TWIN_THRESHOLD for match in matches) >= 0.95 * len(matches)
    between = own.maps.reshape(len(chosen), -1) @ own.maps.reshape(len(chosen), -1).T - np.eye(len(chosen))
    assert float(between.max()) < TWIN_THRESHOLD
