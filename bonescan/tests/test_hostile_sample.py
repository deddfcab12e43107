"""A short run of the hostile measurement: rubbish posted through the API to real processes."""

import os
import random
from pathlib import Path

import pytest

from bench.films import film_jpeg
from bench.hostile import POLICY, answer_all, manifest_ok

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


def rubbish(folder: Path) -> list[Path]:
    """Files made here: empty, random, cut short, damaged, lying about their size, and one good film."""
    film, chance = film_jpeg(1), random.Random(5)
    damaged = bytearray(film)
    for place in chance.sample(range(200, len(film)), 40):
        damaged[place] ^= 0xFF
    contents = {
        "empty": b"",
        "one-byte": b"\x00",
        "random": chance.randbytes(4000),
        "text": b"not an image " * 100,
        "cut.jpg": film[: len(film) // 2],
        "damaged.jpg": bytes(damaged),
        "huge-claim.png": b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x7f\xff\xff\xff\x7f\xff\xff\xff\x08\x00\x00\x00\x00"
        + b"\0" * 30,
        "dicom-without-pixels": b"\0" * 128 + b"DICM" + b"\x02\x00\x10\x00UI\x14\x001.2.840.10008.1.2.1\x00",
        "script.svg": b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>",
        "good.jpg": film,
    }
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    return [folder / name for name in contents]


def test_every_hostile_file_gets_an_answer_and_nothing_dies(tmp_path):
    files, readable = rubbish(tmp_path), {tmp_path / "good.jpg"}
    data = Path(os.environ.get("BONESCAN_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data") / "hostile"
    if data.is_dir():
        listed = sorted(path for path in data.rglob("*") if path.is_file() and path.name != "MANIFEST.csv")
        files += listed[::90]
        readable |= manifest_ok(data) & set(files)
    cases, signs = answer_all(files, jobs=2)
    assert signs == []
    assert [(case.path.name, case.verdict) for case in cases if not case.is_sound] == []
    refused = {
        case.path.name: case.verdict for case in cases if case.path in readable and case.refusal not in ("", *POLICY)
    }
    assert refused == {}
    verdicts = {case.path.name: case.verdict for case in cases}
    assert verdicts["empty"] == "400 empty_file"
    assert verdicts["random"] == "202 failed not_an_image"
    assert verdicts["good.jpg"].startswith("202 succeeded")
