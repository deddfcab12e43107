"""What an upload may cost, and the one table of the codes and sentences with which it is refused."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields

from inference.errors import DecodeError

MIB = 1024 * 1024

DECODE_CODES: dict[str, str] = {
    "empty_file": "The file is empty. Export it again and upload the new copy.",
    "not_an_image": "The file is not a readable image. Upload a JPEG, PNG, TIFF, WebP, BMP or single-frame DICOM.",
    "format_not_accepted": "This image format is not accepted. Export as JPEG, PNG, TIFF, WebP, BMP or DICOM.",
    "unreadable": (
        "The image is damaged or not valid for its format. Export it again from the source and upload the new copy."
    ),
    "truncated": "The file is incomplete. Transfer it again; if it is still incomplete, export it again.",
    "too_large": (
        "The file is larger than the limit. Export a single film at its native resolution, or use compression."
    ),
    "too_many_pixels": "The image has more pixels than the limit. Export a single film at its native resolution.",
    "multi_frame": "The file contains several frames. Upload one film per file: export the relevant frame separately.",
    "deflated_not_accepted": "Deflated DICOM is not accepted. Send it uncompressed or with an image compression.",
    "transfer_syntax_not_accepted": (
        "This DICOM transfer syntax is not accepted. Send it uncompressed, or as RLE, JPEG, JPEG-LS or JPEG 2000."
    ),
    "no_pixels": "The DICOM object contains no image. Send the image object itself, not a directory, report or plan.",
    "raw_detector_data": (
        "The file holds raw detector data (For Processing). Send the processed image (For Presentation) instead."
    ),
    "too_much_memory": "Reading the image needs more memory than the limit. Export it uncompressed or smaller.",
    "too_slow": "Reading the image takes longer than the limit. Export it uncompressed or smaller.",
    "decoder_died": "Reading the image stopped unexpectedly. Try again; if it fails again, export the image once more.",
    "decoder_unavailable": (
        "The image reader is not running. The image has been kept and will be tried again. Inform the operator."
    ),
}

# The one remark that keeps a film from the model: it is meant for people.
NOT_HUMAN = "not_human"
# Remarks on an image that was read. They travel in `meta["warnings"]`; none stops the analysis by itself.
DECODE_WARNINGS: dict[str, str] = {
    "additional_images_ignored": "The file contains further images (previews, views); only the main image is used.",
    "burned_in_annotation": "According to the file, text is burned into the image; it may identify the patient.",
    "charset_undecodable": "Some text in the file could not be decoded; check name and numbers.",
    "charset_doubtful": (
        "The file states a character set in which a name or number makes no sense; it was left out. Enter it by hand."
    ),
    "charset_corrected": "The file states a wrong character set; its text was read as UTF-8. Check the names.",
    "name_unreadable": "A name in the file contains control or replacement characters and was left out.",
    "number_unreadable": (
        "A record or accession number in the file is too long or contains characters that cannot be shown; it was left"
        " out."
    ),
    "several_numbers": "A record or accession number in the file has several parts, separated by a backslash.",
    "date_unreadable": "A date in the file is invalid and was ignored.",
    "birth_date_implausible": "The birth date in the file is in the future or before 1850 and was ignored.",
    "study_date_implausible": "The examination date in the file is in the future or before 1850 and was ignored.",
    "birth_after_examination": "In the file, the examination is before the birth date; both dates were ignored.",
    "sex_unreadable": "The sex stated in the file is not a DICOM value and was ignored.",
    "laterality_unreadable": "The side stated in the file is not a DICOM value and was ignored.",
    "laterality_contradicts": "The file states two different sides; none was used. Compare the side marker.",
    NOT_HUMAN: "According to the file, the patient is an animal.",
    "no_window": "The file has no usable display window; the grey range was set from the image.",
    "window_unusable": "The display window in the file shows no content; the grey range was set from the image.",
    "rescale_ignored": "The value scaling in the file is invalid and was ignored.",
    "lut_ignored": "A lookup table in the file is invalid and was ignored.",
    "pixel_aspect_ignored": "The stated pixel aspect ratio is implausible and was ignored; proportions may be wrong.",
    "spacing_ignored": "The stated pixel spacing is implausible and was ignored; sizes in mm may be missing.",
    "orientation_ignored": "The stated orientation is unreadable; the image may be rotated.",
    "preamble_missing": "The file has no DICOM preamble; it was read as DICOM from its first element.",
    "header_incomplete": "The file lacks elements that describe its pixels; the usual values were used.",
    "pixel_data_longer": "The file holds more pixel data than its rows and columns need; part of it may be missing.",
    "bits_contradict": "The file contradicts itself on the bits of its pixel values; check the grey scale.",
    "codestream_contradicts": (
        "File and compressed image disagree about depth, sign or compression; the compressed image was followed."
    ),
    "lut_depth_contradicts": "A lookup table has fewer bits than the file states; its brightest entry is shown white.",
    "inversion_contradicts": "The file contradicts itself on whether low values are bright; check that bone is bright.",
    "intensity_sign_contradicts": "According to the file, bone is dark in this image; check that bone is bright.",
    "overlays_not_shown": "The file contains drawings or markers that are not shown; a side marker may be among them.",
    "shutter_applied": "The area outside the display shutter is black, as the file states.",
    "shutter_ignored": "The display shutter in the file cannot be applied; the whole image is shown.",
    "presentation_ignored": "The file asks for a display that is not applied; other programs may show it differently.",
    "display_elements_unknown": "The file contains unknown display elements; other programs may show it differently.",
    "quality_control_image": "According to the file, this is a quality control image and not a patient's film.",
    "depth_reduced": "Only 8 bits of each sample could be read; faint differences may be missing.",
}

_NOT_RETRIED = {code: False for code in DECODE_CODES} | {"decoder_unavailable": True, "decoder_died": True}


def refusal(code: str, *, retriable: bool | None = None) -> DecodeError:
    """Return the error for `code` with its sentence; only faults of the machine, not of the file, are worth a retry."""
    return DecodeError(code, DECODE_CODES[code], retriable=_NOT_RETRIED[code] if retriable is None else retriable)


@dataclass(frozen=True)
class Limits:
    """Ceilings for one image. Each can be set in the environment as BONESCAN_DECODE_<NAME>."""

    max_input_bytes: int = 128 * MIB  # the most pixels, of 16 bits, uncompressed, and a header
    max_pixels: int = 64_000_000
    memory_bytes: int = 400 * MIB  # on top of what the idle server maps; with that, a child stays below 512 MB
    cpu_s: int = 7
    wall_s: int = 25
    receive_s: int = 10
    children: int = 4

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Limits:
        """Read the limits; a value that is no positive whole number raises ValueError naming the variable."""
        source = os.environ if environ is None else environ
        chosen: dict[str, int] = {}
        for field in fields(cls):
            name = f"BONESCAN_DECODE_{field.name.upper()}"
            text = source.get(name, "")
            if not text:
                continue
            if not text.isdecimal() or int(text) < 1:
                raise ValueError(f"{name} must be a positive whole number")
            chosen[field.name] = int(text)
        return cls(**chosen)
