"""What the viewer gets of a film: every value the file holds, and what the file says of windows."""

import io

import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from inference.imaging.decode import decode_bytes
from inference.imaging.display import pack, pack_film, parts, quantised, unpack, values_of
from inference.imaging.wire import image_reply, read_reply
from inference.tests.made_dicom import dicom, picture, ramp


def meant(data: bytes) -> tuple[np.ndarray, dict]:
    """The modality values of a decoded file, and the facts."""
    values = decode_bytes(data).values
    assert values.array is not None
    return values.array * values.facts["scale"] + values.facts["offset"], values.facts


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (64, 7), (65, 130), (200, 1)])
def test_packing_loses_nothing(shape):
    array = np.random.default_rng(1).integers(0, 65536, shape).astype(np.uint16)
    assert (unpack(pack(array), *shape) == array).all()


def test_a_large_film_begins_with_an_overview_and_a_small_one_does_not():
    array = np.random.default_rng(2).integers(0, 4096, (1300, 2100)).astype(np.uint16)
    stored, facts = pack_film(values_of(array))
    assert facts["overview"] == {"step": 3, "rows": 434, "columns": 700, "bytes": len(parts(stored, facts)[0])}
    head, whole = parts(stored, facts)
    assert (unpack(head, 434, 700) == array[::3, ::3]).all()
    assert (unpack(whole, 1300, 2100) == array).all()
    small, facts = pack_film(values_of(array[:500, :500]))
    assert parts(small, facts) == (b"", small)


def test_values_of_another_size_or_that_are_damaged_are_refused():
    packed = pack(np.zeros((4, 6), np.uint16))
    for data, rows in ((packed, 5), (packed, 3), (b"no gzip", 4)):
        with pytest.raises(ValueError):
            unpack(data, rows, 6)


def test_a_rescaled_signed_object_keeps_its_modality_values():
    stored = ramp(-1000, 3000, "i2")
    got, facts = meant(dicom(stored, RescaleSlope=2, RescaleIntercept=-5, RescaleType="HU"))
    assert np.array_equal(got, stored * 2.0 - 5)
    assert facts["unit"] == "HU"


def test_inversion_is_said_and_not_done():
    stored = ramp(0, 4095)
    got, facts = meant(dicom(stored, PhotometricInterpretation="MONOCHROME1", BitsStored=12, HighBit=11))
    assert np.array_equal(got, stored)
    assert (facts["inverted"], facts["bits"]) == (True, 12)


def test_all_windows_come_with_function_and_words():
    windows = {"WindowCenter": [100, 2000], "WindowWidth": [50, 3000], "VOILUTFunction": "SIGMOID"}
    _, facts = meant(dicom(ramp(0, 4095), WindowCenterWidthExplanation=["BONE", "SOFT"], **windows))
    assert facts["windows"] == [
        {"center": 100.0, "width": 50.0, "function": "SIGMOID", "explanation": "BONE"},
        {"center": 2000.0, "width": 3000.0, "function": "SIGMOID", "explanation": "SOFT"},
    ]
    assert facts["default"] == "window"


def test_a_window_that_shows_nothing_is_not_the_default():
    _, facts = meant(dicom(ramp(0, 4095), WindowCenter=90000, WindowWidth=10))
    assert facts["default"] == "auto"


def test_a_modality_table_is_applied_and_a_voi_table_is_passed_on():
    stored = ramp(0, 63, "u1")
    modality = _table([0, 8], [n * n for n in range(64)])
    modality.ModalityLUTType = "US"
    voi = _table([0, 12], [n * 64 for n in range(64)])
    got, facts = meant(dicom(stored, ModalityLUTSequence=Sequence([modality]), VOILUTSequence=Sequence([voi])))
    assert np.array_equal(got, stored.astype(float) ** 2)
    assert facts["voi_lut"]["entries"][:3] == [0, 64, 128]
    assert facts["default"] == "voi_lut"


def _table(head: list[int], entries: list[int]) -> Dataset:
    item = Dataset()
    item.LUTDescriptor = [len(entries), head[0], 16]
    item.add_new("LUTData", "OW", np.asarray(entries, "<u2").tobytes())
    return item


def test_padding_is_told_apart_in_the_shifted_numbers():
    stored = ramp(100, 4095)
    stored[:, 0] = 50
    _, facts = meant(dicom(stored, PixelPaddingValue=50))
    assert facts["padding"] == [0, 0]


def test_floating_values_become_even_steps():
    values = quantised(np.array([[0.0, 0.5], [1.0, np.nan]]))
    assert values.facts["quantised"]
    got = values.array * values.facts["scale"] + values.facts["offset"]
    assert np.allclose(got, [[0, 0.5], [1, 0]], atol=1e-4)


def test_a_deep_png_keeps_16_bits_and_an_8_bit_one_is_shown_from_the_canonical_image():
    deep = np.arange(48 * 64, dtype=np.uint16).reshape(48, 64) * 21
    buffer = io.BytesIO()
    Image.fromarray(deep).save(buffer, "PNG")
    got, facts = meant(buffer.getvalue())
    assert np.array_equal(got, deep)
    assert facts["source"] == "values"
    assert decode_bytes(picture(ramp(0, 255, "u1"), "PNG")).values.facts == {"source": "canonical"}


def test_a_film_whose_values_need_too_much_memory_is_decoded_without_them(monkeypatch):
    def greedy(*_):
        raise MemoryError

    monkeypatch.setattr("inference.imaging.dicom.decoding.values_of_dicom", greedy)
    decoded = decode_bytes(dicom(ramp(0, 4095)))
    assert decoded.grey.size
    assert decoded.values.facts == {"source": "left_out"}


def test_the_values_travel_from_the_child_to_the_worker():
    decoded = decode_bytes(dicom(ramp(0, 4095)))
    packed = pack(decoded.values.array)
    stream = io.BytesIO(b"".join(image_reply(decoded.grey, b"\x89PNG\r\n\x1a\n", {"display": {}}, packed)))
    assert read_reply(stream.read).values == packed
