"""Files that hold an element about pixels which is neither read nor harmless, and that were read without its remark."""

import logging
import warnings
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset

from bench.children import Child
from inference.imaging.dicom.elements import UNKNOWN, Use, element_of, is_repeating, is_unknown


def silent(child: Child) -> list[str]:
    """Return the elements of a file that was read which ought to have been remarked on and were not."""
    if child.code != "OK":
        return []
    ds = _header(child.path)
    if ds is None:
        return []
    missed = []
    for element in ds.keys():  # noqa: SIM118 (a data set yields its elements)
        row = element_of(int(element))
        if row is None:
            expected = UNKNOWN if is_unknown(int(element)) else ""
        elif row.use in (Use.REMARKED, Use.REFUSED) and _says(ds, int(element), row.quiet):
            expected = row.code
        else:
            continue
        if expected and expected not in child.remarks:
            missed.append(f"{element} {expected}")
    return missed


def _header(path: Path) -> Dataset | None:
    """Read what stands before the pixels, by another reader of the elements than the portal's own."""
    data = path.read_bytes()[:256]
    if data[128:132] != b"DICM" and path.suffix.lower() != ".dcm":
        return None
    logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return pydicom.dcmread(path, force=True, stop_before_pixels=True)
        except Exception:
            return None


def _says(ds: Dataset, tag: int, quiet: tuple[str, ...]) -> bool:
    if is_repeating(tag >> 16):
        return True
    try:
        value = ds[tag].value
    except Exception:
        return False
    empty = value is None or (hasattr(value, "__len__") and len(value) == 0)
    return not empty and str(value).strip().upper() not in quiet
