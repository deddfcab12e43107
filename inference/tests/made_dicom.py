"""DICOM objects made in code, small enough that the expected grey of every pixel can be written down."""

import io
import struct
from typing import Any

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, ExplicitVRLittleEndian

DX_PRESENTATION = UID("1.2.840.10008.5.1.4.1.1.1.1")


def dataset(pixels: np.ndarray, **elements: Any) -> Dataset:
    """Return a single-frame grey or RGB object of `pixels`; a keyword set to None is left out."""
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = DX_PRESENTATION, "1.2.3.4"
    ds.Modality, ds.PatientID = "DX", "0001"
    ds.Rows, ds.Columns = pixels.shape[:2]
    ds.SamplesPerPixel = 1 if pixels.ndim == 2 else 3
    ds.PhotometricInterpretation = "MONOCHROME2" if pixels.ndim == 2 else "RGB"
    if pixels.ndim == 3:
        ds.PlanarConfiguration = 0
    ds.BitsAllocated = ds.BitsStored = pixels.dtype.itemsize * 8
    ds.HighBit = ds.BitsStored - 1
    ds.PixelRepresentation = int(pixels.dtype.kind == "i")
    ds.PixelData = pixels.tobytes() + b"\x00" * (pixels.nbytes % 2)
    for keyword, value in elements.items():
        if value is None:
            del ds[keyword]
        else:
            setattr(ds, keyword, value)
    return ds


def file_bytes(ds: Dataset, syntax: str = ExplicitVRLittleEndian) -> bytes:
    """Return `ds` as a DICOM file in `syntax`."""
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = UID(syntax)
    buffer = io.BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def dicom(pixels: np.ndarray, syntax: str = ExplicitVRLittleEndian, **elements: Any) -> bytes:
    """Return a DICOM file of uncompressed `pixels`."""
    return file_bytes(dataset(pixels, **elements), syntax)


def compressed(frame: bytes, pixels: np.ndarray, syntax: str, **elements: Any) -> bytes:
    """Return a DICOM file whose one frame is `frame`, with the header of `pixels`."""
    ds = dataset(pixels, **elements)
    ds.PixelData = encapsulate([frame])
    ds["PixelData"].is_undefined_length = True
    return file_bytes(ds, syntax)


def with_syntax(data: bytes, uid: str) -> bytes:
    """Return a minimal file that claims the transfer syntax `uid`, followed by `data`."""
    value = uid.encode() + b"\x00" * (len(uid) % 2)
    return b"\x00" * 128 + b"DICM" + struct.pack("<HH2sH", 2, 0x10, b"UI", len(value)) + value + data


def ramp(low: int, high: int, dtype: str = "u2", width: int = 64, height: int = 48) -> np.ndarray:
    """Return rows that rise evenly from `low` to `high`."""
    return np.tile(np.linspace(low, high, width).round().astype(dtype), (height, 1))


def picture(array: np.ndarray, kind: str, **options: Any) -> bytes:
    """Return `array` as a picture file of format `kind`."""
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, kind, **options)
    return buffer.getvalue()
