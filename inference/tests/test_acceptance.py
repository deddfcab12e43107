"""Site acceptance without the portal: the rule, the set, the figures, local cut-offs, and the command."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from inference.__main__ import main
from inference.acceptance.cut_offs import cross_fitted, recalled, suggest
from inference.acceptance.figures import acceptance_of, card_figures, figures_of
from inference.acceptance.films import FilmAnswer
from inference.acceptance.labels import name_key, read_labels, require_enough
from inference.acceptance.rule import MET, NOT_MET, UNDECIDED, has_rule, judge_figures, rule_for, rule_of
from inference.acceptance.training_films import TrainingFilms, look_of
from inference.calibration import OperatingPoint
from inference.card import installed, load_card
from inference.errors import DataError, WeightsError
from inference.tests.toy import toy_film, toy_joint

POINT = OperatingPoint("balanced", 0.3, 0.5, "nothing")
RULE = rule_for(0.05)
CARD = {"acceptance": RULE.as_dict(), "withheld": {"cut_offs": [0, 0, 0]}}


def film(label="normal", leaning="", patient=0, **fields) -> FilmAnswer:
    leaning = leaning or label
    chances = {"normal": (0.9, 0.08, 0.02), "benign": (0.1, 0.8, 0.1), "malignant": (0.1, 0.2, 0.7)}[leaning]
    known = {
        **{"label": label, "patient": patient, "analysable": True, "leaning": leaning, "withheld_reasons": ()},
        **{"probabilities": chances, "prediction_set": (leaning,), "distance": 1.0, "grey_mean": 60.0},
        **{"grey_spread": 50.0, "features": (), "trained_on": False},
    }
    return FilmAnswer(**(known | fields))


def a_set(false_alarms=5, clear=120, missed=1, tumours=20) -> list[FilmAnswer]:
    films = [film(leaning="benign" if n < false_alarms else "normal", patient=n) for n in range(clear)]
    for n in range(tumours):
        label = "malignant" if n % 2 else "benign"
        films.append(film(label, "normal" if n < missed else label, patient=1000 + n))
    return films


def test_every_installed_card_states_its_rule():
    for folder in installed().values():
        card = load_card(folder)
        level = (card.get("withheld") or {}).get("level")
        assert rule_of(card) == rule_for(level)


@pytest.mark.parametrize("damage", ["none", "word", "figure", "share", "empty"])
def test_a_card_without_a_usable_rule_says_so(damage):
    card = json.loads(json.dumps(CARD))
    stated = card["acceptance"]
    if damage == "none":
        del card["acceptance"]
    elif damage == "word":
        stated["bounds"]["withheld"] = {"at_least": 0.4}
    elif damage == "figure":
        stated["bounds"]["charm"] = {"at_most": 0.4}
    elif damage == "share":
        stated["bounds"]["withheld"] = {"at_most": 40}
    else:
        stated["bounds"] = {}
    assert not has_rule(card)
    with pytest.raises(WeightsError) as refusal:
        rule_of(card)
    assert refusal.value.code == "no_acceptance_rule"


def test_a_figure_beyond_its_limit_decides_before_one_that_few_films_leave_open():
    figures = figures_of(a_set(false_alarms=40))
    assert judge_figures(RULE, figures).verdict == NOT_MET
    assert judge_figures(RULE, figures_of(a_set())).verdict == MET
    few = judge_figures(RULE, figures_of(a_set(tumours=2, missed=0)))
    assert (few.verdict, few.by_figure["tumour_sensitivity"]) == (UNDECIDED, UNDECIDED)


def test_a_set_without_cancers_leaves_their_figure_out():
    films = [one for one in a_set() if one.label != "malignant"]
    found = judge_figures(RULE, figures_of(films))
    assert found.by_figure["cancers_called_normal"] is None
    assert found.verdict == MET


def test_figures_count_what_they_say():
    films = [*a_set(false_alarms=12, clear=120), film(patient=5000, analysable=False, leaning="normal")]
    films[0] = replace(films[0], withheld_reasons=("unstable",))
    figures = figures_of(films)
    assert figures["false_alarms"]["estimate"] == 0.1
    assert (figures["false_alarms"]["hits"], figures["false_alarms"]["n"]) == (12, 120)
    assert figures["tumour_sensitivity"]["estimate"] == pytest.approx(19 / 20)
    assert figures["gate_refusals"]["hits"] == 1
    assert figures["withheld"]["hits"] == 1
    assert figures["coverage"]["estimate"] == pytest.approx(1 - 13 / 140, abs=1e-4)
    low, high = figures["false_alarms"]["low"], figures["false_alarms"]["high"]
    assert low == pytest.approx(0.058, abs=0.004)
    assert high == pytest.approx(0.168, abs=0.004)


def test_films_of_one_patient_widen_the_interval():
    apart, together = a_set(false_alarms=12), a_set(false_alarms=12)
    together = [replace(one, patient=one.patient // 4) if one.is_clear else one for one in together]
    wide, narrow = figures_of(together)["false_alarms"], figures_of(apart)["false_alarms"]
    assert wide["high"] - wide["low"] > 1.3 * (narrow["high"] - narrow["low"])
    assert wide["patients"] == 30


def test_a_model_without_sets_has_no_coverage():
    assert figures_of([film(prediction_set=None), film("benign", prediction_set=None)])["coverage"] is None


def test_the_card_tells_the_same_figures():
    stated = card_figures(load_card(installed()["bonescan-joint-2.1.0"]))
    assert stated["false_alarms"] == {"estimate": 0.1655, "low": 0.0979, "high": 0.24}
    assert stated["coverage"]["estimate"] == 0.8548
    first = card_figures(load_card(installed()["bonescan-paper-cnn-1.0.1"]))
    assert first["false_alarms"]["estimate"] == pytest.approx(1 - 0.6517)
    assert first["coverage"] is None
    assert set(card_figures({}).values()) == {None}


def test_local_cut_offs_leave_their_aim_of_the_tumour_free_films_above():
    rng = np.random.default_rng(1)
    shares = rng.uniform(0, 1, 400)
    films = [film(patient=n, probabilities=(1 - t, t * 0.9, t * 0.1)) for n, t in enumerate(shares)]
    local = suggest(films, POINT, RULE)
    above = np.mean(shares >= local.tumour)
    assert 0.12 <= above <= RULE.aim_false_alarms
    assert local.malignant == POINT.malignant
    assert local.name == "local"
    shifted = [replace(one, probabilities=(0.1, 0.1, 0.8)) if n < 40 else one for n, one in enumerate(films)]
    assert suggest(shifted, POINT, RULE).malignant > 0.8
    assert suggest([film("benign")], POINT, RULE) is None


def test_figures_at_local_cut_offs_come_from_films_that_had_no_say_in_them():
    """Noise fitted and judged on the same films would keep the aim exactly; cross-fitted it keeps it on average."""
    rng = np.random.default_rng(2)
    found = []
    for _ in range(60):
        shares = rng.uniform(0, 1, 100)
        films = [film(patient=n, probabilities=(1 - t, t, 0.0)) for n, t in enumerate(shares)]
        crossed = cross_fitted(films, POINT, RULE)
        found.append(figures_of(crossed)["false_alarms"]["estimate"])
    assert np.mean(found) == pytest.approx(RULE.aim_false_alarms, abs=0.02)
    assert np.std(found) > 0.005


def test_an_answer_at_other_cut_offs_asks_its_set_again():
    one = film(
        "benign", probabilities=(0.45, 0.5, 0.05), prediction_set=("normal",), withheld_reasons=("set_undecided",)
    )
    assert recalled(one, POINT).leaning == "benign"
    assert recalled(one, POINT).withheld_reasons == ("set_undecided",)
    stricter = replace(POINT, tumour=0.6)
    assert recalled(one, stricter).leaning == "normal"
    assert recalled(one, stricter).withheld_reasons == ()
    assert recalled(film(analysable=False), POINT) == film(analysable=False)


@pytest.mark.parametrize(
    ("films", "code", "count"),
    [
        (a_set(tumours=0), "one_class", "120 tumour-free films and 0"),
        (a_set(clear=0, false_alarms=0), "one_class", "0 tumour-free films and 20"),
        (a_set(clear=99), "too_few_films", "99 tumour-free films and 20"),
        ([*a_set(), film(trained_on=True, patient=9)], "training_films", "1 of 141 films"),
    ],
)
def test_a_set_that_the_rule_cannot_judge_is_refused_with_the_count(films, code, count):
    with pytest.raises(DataError, match=count) as refusal:
        acceptance_of(CARD, POINT, films)
    assert refusal.value.code == code


def test_an_answer_comes_back_from_json_as_it_was():
    one = film("malignant", features=(0.5, -1.0), withheld_reasons=("unstable",))
    assert FilmAnswer.from_dict(json.loads(json.dumps(one.as_dict()))) == one


def test_what_is_said_of_a_set_is_json_and_warns_of_few_patients():
    found = acceptance_of(CARD, POINT, a_set(tumours=8, missed=0))
    json.dumps(found, allow_nan=False)
    assert found["at_card"]["verdict"] == MET
    assert found["warnings"] == ["few_benign", "few_malignant", "training_known_nothing"]
    assert found["films"]["by_label"] == {"normal": 120, "benign": 4, "malignant": 4}


def test_training_films_are_known_by_pixels_and_by_looks():
    coarse = np.random.default_rng(3).integers(0, 255, (20, 20), dtype=np.uint8)
    image = np.asarray(Image.fromarray(coarse).resize((256, 256), Image.Resampling.BICUBIC))
    copy = np.asarray(Image.fromarray(image).resize((400, 400)))
    exact = TrainingFilms.of_card({"training_images": [look_of(image)[:16]]})
    assert not exact.hold(image)
    looks = TrainingFilms.of_card({"training_looks": [look_of(image), "no look"]})
    assert looks.hold(image)
    assert looks.hold(copy)
    assert not looks.hold(np.rot90(image).copy())
    assert [
        TrainingFilms.of_card(card).knows for card in ({}, {"training_images": ["a"]}, {"training_looks": ["0" * 64]})
    ] == [
        "nothing",
        "exact",
        "looks",
    ]


# --- the table ---------------------------------------------------------------------------------------------------
def test_a_table_is_read_as_spreadsheet_programs_write_it():
    text = "sep=;\r\nFile;Label;Patient\r\nsub/A 1.PNG;tumour-free;P1\r\n'x'.dcm;Malignant;P1\r\n\r\nB;benign;\r\n"
    rows = read_labels(text.encode("utf-16"))
    assert [(row.line, row.name, row.label) for row in rows] == [
        (3, "a 1", "normal"),
        (4, "'x'", "malignant"),
        (6, "b", "benign"),
    ]
    assert [row.patient for row in rows] == [0, 0, 1]
    assert name_key("1.2.840.10008") == "1.2.840.10008"
    assert name_key(r"C:\films\1.2.840.dcm") == "1.2.840"


@pytest.mark.parametrize(
    "text",
    [
        "file,label\n",
        "file,verdict\na,normal\n",
        "file,label\na,sick\n",
        "file,label\na,normal\nA.png,benign\n",
        "file,label\n,normal\n",
        'file,label\n"a,normal\n' + "x" * 140_000,
        "file,label\n" + "\n".join(f"f{n},normal" for n in range(5001)),
    ],
)
def test_a_table_that_is_none_is_refused(text):
    with pytest.raises(DataError) as refusal:
        read_labels(text.encode())
    assert refusal.value.code == "bad_labels"


def test_bytes_that_are_no_text_are_refused():
    for data in (
        b"\xff\xfe\x00",
        b"\x89PNG\r\n\x1a\n",
        b"file,label\n\x00,normal\n",
        b"",
        b"x" * (2 * 1024 * 1024 + 1),
    ):
        with pytest.raises(DataError, match="label file"):
            read_labels(data)


def test_counts_are_asked_before_any_film_is_read():
    require_enough(["normal"] * 100 + ["benign"], RULE)
    with pytest.raises(DataError):
        require_enough(["normal"] * 100, RULE)


# --- the command -------------------------------------------------------------------------------------------------
@pytest.fixture
def site(tmp_path):
    """A folder of 12 films and its table; the toy's rule asks for eight tumour-free ones."""
    images = tmp_path / "films" / "day 1"
    images.mkdir(parents=True)
    rows = []
    for n in range(12):
        label = "normal" if n < 8 else "malignant"
        Image.fromarray(toy_film(n, lesion=0 if n < 8 else 12)).save(images / f"F{n}.png")
        rows.append({"file": f"F{n}.png", "label": label, "patient": str(n)})
    with (tmp_path / "labels.csv").open("w", newline="") as handle:
        writer = csv.DictWriter(handle, ["file", "label", "patient"])
        writer.writeheader()
        writer.writerows(rows)
    rule = rule_for(0.05).as_dict() | {"least_tumour_free": 8}
    toy_joint(tmp_path / "model", acceptance=rule)
    return tmp_path


def accept(site, *more) -> int:
    folder = [str(site / "films"), "--labels", str(site / "labels.csv"), "--model", str(site / "model")]
    return main(["accept", "--images", *folder, *more])


def test_the_command_prints_figures_and_verdict(site, capsys):
    status = accept(site, "--json", str(site / "found.json"))
    found = json.loads((site / "found.json").read_text())
    said = capsys.readouterr().out
    assert status == (0 if found["at_card"]["verdict"] == "met" else 1)
    assert found["films"]["n"] == 12
    assert found["at_card"]["cut_offs"]["name"] == "balanced"
    assert "false_alarms" in said
    assert "warning: few_benign" in said


@pytest.mark.parametrize("fault", ["missing", "doubled", "unreadable", "point", "trained"])
def test_the_command_refuses_what_it_cannot_judge(site, capsys, fault):
    more = []
    if fault == "missing":
        (site / "films" / "day 1" / "F3.png").unlink()
    elif fault == "doubled":
        (site / "films" / "f3.jpg").write_bytes(b"")
    elif fault == "unreadable":
        (site / "films" / "day 1" / "F3.png").write_bytes(b"no film")
    elif fault == "point":
        more = ["--operating-point", "charm"]
    else:
        rule = rule_for(0.05).as_dict() | {"least_tumour_free": 8}
        toy_joint(site / "model", acceptance=rule, trained_on=(toy_film(2), toy_film(5)))
    assert accept(site, *more) == 2
    codes = {"missing": "films_missing", "doubled": "same_name", "unreadable": "line 5"}
    code = codes.get(fault, "no_point" if fault == "point" else "training_films")
    said = capsys.readouterr().err
    assert said.startswith(code)
    if fault == "trained":
        assert "2 of 12 films" in said
    if fault == "unreadable":
        assert "too_few_films" in said
