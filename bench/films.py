"""Films for measurements: the one radiograph that pydicom-data ships, turned and shifted a little for each patient."""

import io
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image
from pydicom.data import get_testdata_file

from inference.imaging.decode import decode_bytes


@cache
def rg3_grey() -> Image.Image:
    """The RG3 radiograph (a benign bone tumour of the distal tibia) as a grey image."""
    path = get_testdata_file("RG3_J2KR.dcm", download=False)
    assert path is not None, "pydicom-data ships RG3_J2KR.dcm"
    return Image.fromarray(decode_bytes(Path(path).read_bytes()).grey)


def film_array(number: int, width: int = 512, height: int = 512) -> np.ndarray:
    """A film of its own for each number: uint8 (height, width), rotated by up to 8 degrees."""
    turned = rg3_grey().rotate((number * 7 % 160) / 10 - 8, resample=Image.Resampling.BILINEAR)
    scaled = np.asarray(turned.resize((width, height), Image.Resampling.BILINEAR)).copy()
    # Distinct bytes even where the angle repeats: the number is written into the first row's lowest bits.
    bits = np.frombuffer(number.to_bytes(4, "big"), np.uint8)
    scaled[0, : len(bits)] = bits
    return scaled


def film_jpeg(number: int, width: int = 512, height: int = 512) -> bytes:
    """The same film as a JPEG file."""
    buffer = io.BytesIO()
    Image.fromarray(film_array(number, width, height)).save(buffer, "JPEG", quality=90, comment=str(number))
    return buffer.getvalue()
