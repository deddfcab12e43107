"""`python -m inference predict` on real and bad files, without the portal."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file

from inference.__main__ import main
from inference.card import load_card

ROOT = Path(__file__).resolve().parents[2]


def run(capsys, *arguments) -> tuple[int, list[dict]]:
    status = main(["predict", *map(str, arguments), "--json"])
    return status, json.loads(capsys.readouterr().out)


@pytest.fixture(scope="module")
def tibia() -> str:
    return str(get_testdata_file("RG3_UNCR.dcm", download=False) or pytest.skip("pydicom-data is not installed"))


def test_a_real_radiograph_of_bone_is_answered(capsys, tibia):
    status, (answer,) = run(capsys, tibia)
    assert status == 0
    assert answer["gate"]["analysable"] is True
    assert answer["leaning"] in {"normal", "benign", "malignant"}
    assert answer["outcome"] == ("withheld" if answer["withheld_reasons"] else answer["leaning"])
    assert sum(answer["probabilities"].values()) == pytest.approx(1)
    assert (answer["saliency"] is not None) == (load_card()["saliency"]["status"] != "not shown")
    assert {len(answer[key]) for key in ("input_sha256", "canonical_sha256")} == {64}
    assert set(answer["timings_ms"]) == {"checking", "classifying", "explaining"}
    assert answer["model"]["sha256"]


def test_a_bad_file_gets_its_code_and_the_status_says_so(capsys, tibia, tmp_path):
    bad = tmp_path / "note.jpg"
    bad.write_bytes(b"this is no picture")
    status, answers = run(capsys, bad, tmp_path / "absent.png", tibia)
    assert status == 1
    assert answers[0]["error"]["code"] == "not_an_image"
    assert answers[1]["error"]["code"] == "no_file"
    assert "error" not in answers[2]


def test_missing_weights_end_with_a_sentence(capsys, tmp_path, tibia):
    assert main(["predict", tibia, "--weights", str(tmp_path)]) == 2
    assert "no_card" in capsys.readouterr().err


def test_what_the_web_process_imports_never_loads_torch():
    modules = "inference.card, inference.errors, inference.calibration, inference.imaging.canonical, "
    modules += (
        "inference.imaging.prepare, inference.imaging.overlay, inference.imaging.decode, inference.imaging.client"
    )
    code = f"import sys, {modules}; sys.exit('torch' in sys.modules or 'django' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
