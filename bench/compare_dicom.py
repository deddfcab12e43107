"""Compares the portal's pictures of DICOM files with those of dcmtk: ``python -m bench.compare_dicom FOLDER...``.

Every single-frame grey or colour file is rendered by ``dcmj2pnm`` (JPEG-LS by ``dcml2pnm``) with the same window, and
compared by correlation. Each grey one is also compressed anew by ``dcmcjpeg``, ``dcmcjpls``, ``dcmcrle`` and
``gdcmconv``, and the portal's picture of that compared with its own of the original. Exit status 0 when all are alike,
77 when a tool is missing.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import warnings
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from shutil import which
from typing import Any

import numpy as np
import pydicom
from PIL import Image

from inference.errors import DecodeError
from inference.imaging.client import DecodeClient
from inference.imaging.server import start_server

NEEDED = ("dcmj2pnm", "dcml2pnm", "dcmcjpeg", "dcmcjpls", "dcmcrle", "dcmdjpeg", "gdcmconv")
SKIPPED = 77
LOSSLESS_AT_LEAST, LOSSY_AT_LEAST = 0.999, 0.98
_SIDE = 512
_JPEG_LS = ("1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81")
_JPEG_2000 = ("1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91")
_LOSSY = frozenset(f"1.2.840.10008.1.2.4.{number}" for number in (50, 51, 52, 53, 54, 55, 56, 81, 91, 203))
# How each is written anew: name, command before the two files, whether it loses nothing.
ANEW: tuple[tuple[str, tuple[str, ...], bool], ...] = (
    ("JPEG lossless, selection value 1", ("dcmcjpeg", "+e1"), True),
    ("JPEG lossless", ("dcmcjpeg", "+el"), True),
    ("JPEG extended", ("dcmcjpeg", "+ee"), False),
    ("JPEG spectral selection", ("dcmcjpeg", "+es"), False),
    ("JPEG full progression", ("dcmcjpeg", "+ep"), False),
    ("JPEG-LS lossless", ("dcmcjpls", "+el"), True),
    ("JPEG-LS near-lossless", ("dcmcjpls", "+en"), False),
    ("RLE", ("dcmcrle",), True),
    ("JPEG 2000 lossless", ("gdcmconv", "--j2k"), True),
    ("JPEG-LS by GDCM", ("gdcmconv", "--jpegls"), True),
    ("JPEG lossless by GDCM", ("gdcmconv", "--jpeg"), True),
    ("RLE by GDCM", ("gdcmconv", "--rle"), True),
)


@dataclass(frozen=True)
class Pair:
    """Two pictures of one film: what was compared, their correlation, and whether it must be next to 1."""

    name: str
    how: str
    correlation: float
    is_lossless: bool

    @property
    def is_alike(self) -> bool:
        return self.correlation >= (LOSSLESS_AT_LEAST if self.is_lossless else LOSSY_AT_LEAST)


class Comparison:
    """Renders by the portal's decode server and by dcmtk; what could not be compared is counted with its reason."""

    def __init__(self, client: DecodeClient, room: Path) -> None:
        self.client, self.room = client, room
        self.pairs: list[Pair] = []
        self.left_out: Counter[str] = Counter()

    def add(self, path: Path) -> None:
        """Compare one file, and what is made of it."""
        header = _header(path)
        if header is None:
            self.left_out["no DICOM image of one frame"] += 1
            return
        ours = self._ours(path)
        if ours is None:
            return
        syntax = str(header.file_meta.get("TransferSyntaxUID", ""))
        self._with_dcmtk(path, header, syntax, ours)
        # The tools lose samples that do not end at the highest stored bit, and write other depths wrongly.
        usual = header.get("HighBit") == header.get("BitsStored", 0) - 1 and header.get("BitsAllocated") in (8, 16)
        grey = header.get("SamplesPerPixel", 1) == 1 and usual
        plain = self._uncompressed(path, syntax) if grey else None
        if plain is not None and np.std(ours) > 1:
            for name, command, is_lossless in ANEW:
                self._anew(path.name, plain, ours, name, command, is_lossless=is_lossless)

    def _ours(self, path: Path) -> np.ndarray | None:
        try:
            return self.client.decode(path.read_bytes()).grey
        except DecodeError as error:
            self.left_out[f"the portal says {error.code}"] += 1
            return None

    def _with_dcmtk(self, path: Path, header: pydicom.Dataset, syntax: str, ours: np.ndarray) -> None:
        if syntax in _JPEG_2000 or syntax.startswith("1.2.840.10008.1.2.4.20"):
            self.left_out["dcmtk reads no JPEG 2000"] += 1
            return
        tool = "dcml2pnm" if syntax in _JPEG_LS else "dcmj2pnm"
        theirs = self.room / "theirs.pgm"
        theirs.unlink(missing_ok=True)
        window = ["+Wi", "1"] if header.get("WindowWidth") not in (None, "", 0) else ["+Wh", "2"]
        luts = ["+Wl", "1"] if "VOILUTSequence" in header else window
        done = subprocess.run([tool, "--write-raw-pnm", *luts, path, theirs], capture_output=True)
        if done.returncode or not theirs.exists():
            self.left_out["dcmtk cannot render it"] += 1
            return
        with Image.open(theirs) as picture:
            grey = np.asarray(picture.convert("L"))
        if np.std(grey) < 1 or np.std(ours) < 1:
            self.left_out["a picture without contrast"] += 1
            return
        # Where no usable window is stated both choose a range of their own, which is no question of reading.
        if "WindowWidth" in header or "VOILUTSequence" in header or header.get("SamplesPerPixel", 1) == 3:
            self.pairs.append(Pair(path.name, "dcmtk", _correlation(ours, grey), syntax not in _LOSSY))
        else:
            self.pairs.append(Pair(path.name, "dcmtk, own range", _rank_correlation(ours, grey), syntax not in _LOSSY))

    def _uncompressed(self, path: Path, syntax: str) -> Path | None:
        """The file without compression, None where dcmtk cannot undo it."""
        if syntax in ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1"):
            return path
        plain = self.room / "plain.dcm"
        plain.unlink(missing_ok=True)
        done = subprocess.run(["gdcmconv", "--raw", path, plain], capture_output=True)
        return plain if done.returncode == 0 and plain.exists() else None

    def _anew(
        self, name: str, plain: Path, ours: np.ndarray, how: str, command: tuple[str, ...], *, is_lossless: bool
    ) -> None:
        packed = self.room / "packed.dcm"
        packed.unlink(missing_ok=True)
        done = subprocess.run([*command, plain, packed], capture_output=True)
        if done.returncode or not packed.exists():
            self.left_out[f"{command[0]} cannot write {how}"] += 1
            return
        try:
            again = self.client.decode(packed.read_bytes()).grey
        except DecodeError as error:
            self.pairs.append(Pair(f"{name}: {error.code}", how, 0.0, is_lossless))
            return
        self.pairs.append(Pair(name, how, _correlation(ours, again), is_lossless))


def _header(path: Path) -> pydicom.Dataset | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            header = pydicom.dcmread(path, stop_before_pixels=True)
            one = int(header.get("NumberOfFrames") or 1) == 1
        return header if one and "Rows" in header else None
    except Exception:
        return None


def _small(picture: np.ndarray) -> np.ndarray:
    size = (min(_SIDE, picture.shape[1]), min(_SIDE, picture.shape[0]))
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BOX), float)


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Pearson's correlation of two pictures of one film; those of another shape are brought to the first's."""
    if one.shape != other.shape:
        other = np.asarray(Image.fromarray(other).resize((one.shape[1], one.shape[0]), Image.Resampling.BILINEAR))
    return float(np.corrcoef(_small(one).ravel(), _small(other).ravel())[0, 1])


def _rank_correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Correlation where both pictures still have greys: their ends are cut at different values."""
    if one.shape != other.shape:
        other = np.asarray(Image.fromarray(other).resize((one.shape[1], one.shape[0]), Image.Resampling.BILINEAR))
    inside = (one > 0) & (one < 255) & (other > 0) & (other < 255)
    if inside.sum() < 100 or np.std(one[inside]) < 1 or np.std(other[inside]) < 1:
        return _correlation(one, other)
    return float(np.corrcoef(one[inside], other[inside])[0, 1])


def report(comparison: Comparison) -> tuple[dict[str, Any], bool]:
    """Print how alike the pictures are, by what was done; returns figures and whether all is well."""
    unlike = [pair for pair in comparison.pairs if not pair.is_alike]
    figures: dict[str, Any] = {"pairs": len(comparison.pairs), "unlike": len(unlike), "by": {}}
    for how in dict.fromkeys(pair.how for pair in comparison.pairs):
        found = [pair.correlation for pair in comparison.pairs if pair.how == how]
        figures["by"][how] = {
            "files": len(found),
            "lowest": round(min(found), 5),
            "median": round(float(np.median(found)), 5),
        }
        print(f"{len(found):5d}  lowest {min(found):.5f}  median {np.median(found):.5f}  {how}")
    for reason, count in comparison.left_out.most_common():
        print(f"{count:5d}  left out: {reason}")
    print(f"unlike: {len(unlike)}")
    for pair in sorted(unlike, key=lambda one: one.correlation)[:40]:
        print(f"   {pair.correlation:.4f}  {pair.name}  {pair.how}")
    return figures, bool(comparison.pairs) and not unlike


def main() -> int:
    """Compare all files of the folders; exit status 0 when all are alike, 77 when a tool is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args()
    missing = [tool for tool in NEEDED if which(tool) is None]
    if missing:
        print(f"skipped: {', '.join(missing)} not found; install the packages dcmtk and libgdcm-tools")
        return SKIPPED
    files = sorted(path for folder in options.folders for path in folder.rglob("*") if path.is_file())
    with tempfile.TemporaryDirectory(prefix="bs-") as room:
        server = start_server(Path(room) / "decode.sock")
        try:
            comparison = Comparison(DecodeClient(server.socket_path, timeout_s=60), Path(room))
            for path in files:
                comparison.add(path)
        finally:
            server.stop()
    figures, well = report(comparison)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
