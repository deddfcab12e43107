"""What the first elements of a DICOM file say of patient and examination, before anything of it is decoded."""

from __future__ import annotations

import io
import struct
import warnings
from typing import Any

from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.tag import Tag

from inference.errors import DecodeError
from inference.imaging.dicom import identity as dicom_identity
from inference.imaging.dicom.meta import read_file_meta
from inference.imaging.limits import refusal

# Patient, study and series stand in the groups up to 0020 (PS3.6); elements come in ascending order (PS3.5, 7.1).
_LAST_GROUP = 0x0020
_TAGS = [tag for tag in map(Tag, dicom_identity.KEYWORDS) if tag.group <= _LAST_GROUP]


def read_header(data: bytes) -> dict[str, Any]:
    """Return ``{identity, warnings, complete}`` of a DICOM file or its beginning.

    `complete` tells whether the end of what names somebody was reached; where it was not, an element that is missing
    may still follow. Raises DecodeError: as `read_file_meta`, and `unreadable`.
    """
    file_meta = read_file_meta(data)
    ended: list[bool] = []

    def beyond(tag: Any, _vr: str | None, _length: int) -> bool:
        if Tag(tag).group > _LAST_GROUP:
            ended.append(True)
        return bool(ended)

    stream = io.BytesIO(data)
    stream.seek(file_meta.dataset_offset)
    ds = Dataset()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ds = read_dataset(
                stream, file_meta.implicit, file_meta.little_endian, stop_when=beyond, specific_tags=list(_TAGS)
            )
    except (EOFError, struct.error):
        pass  # Cut within an element: nothing before it is known for certain.
    except DecodeError:
        raise
    except Exception:
        raise refusal("unreadable") from None
    found: list[str] = []
    return {"identity": dicom_identity.read_identity(ds, found), "warnings": found, "complete": bool(ended)}
