"""Small DICOM films whose headers say what a test wants, and a decoder at the door that needs no process of its own."""

import io
from typing import Any

import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from analyses.intake import headers
from inference.errors import DecodeError
from inference.imaging.decode import header_of
from inference.imaging.limits import refusal

SIDE = 32


def dicom_bytes(seed: int = 0, **elements: Any) -> bytes:
    """A film of 32 x 32 pixels; ``elements`` are DICOM keywords. UIDs are made up where none are given."""
    ds = Dataset()
    ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.1"
    ds.SOPInstanceUID = generate_uid(entropy_srcs=["instance", str(seed), str(sorted(elements.items()))])
    ds.StudyInstanceUID = generate_uid(entropy_srcs=["study", str(seed)])
    ds.Modality = "DX"
    ds.Rows = ds.Columns = SIDE
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PixelRepresentation = 1, "MONOCHROME2", 0
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, 12, 11
    for keyword, value in elements.items():
        setattr(ds, keyword, value)
    pixels = np.random.default_rng(seed).integers(0, 4096, (SIDE, SIDE), dtype=np.uint16)
    ds.PixelData = pixels.tobytes()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    buffer = io.BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def dicom_film(seed: int = 0, **elements: Any) -> SimpleUploadedFile:
    """The same as a form sends it."""
    return SimpleUploadedFile(f"film-{seed}.dcm", dicom_bytes(seed, **elements), "application/dicom")


class DoorDecoder:
    """Reads headers in the test's own process; ``away`` stands for a decode server that does not answer."""

    away = False
    asked = 0

    def header(self, data: bytes) -> dict[str, Any]:
        self.asked += 1
        if self.away:
            raise refusal("decoder_unavailable")
        try:
            return header_of(data)
        except DecodeError as error:
            error.retriable = False
            raise


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch) -> DoorDecoder:
    """The decoder at the door."""
    monkeypatch.setattr(headers, "_process", {})
    decoder = DoorDecoder()
    headers.use_decoder(decoder)
    return decoder
