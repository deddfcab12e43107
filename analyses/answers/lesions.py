"""What an answer says about a lesion: outlines with their sizes, and the ranking of subtypes.

Pages, report and API read it here, so that they agree.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from analyses.formatting import written
from analyses.models import Analysis, Image, Outcome
from inference.imaging.size import CALIBRATED, DETECTOR_PLANE, Size, measure, to_pixels

# A ranking is given only where the model called a tumour.
TUMOUR = (Outcome.BENIGN, Outcome.MALIGNANT)
NO_SPACING = gettext_lazy("the file states no pixel spacing")
# What an image's spacing is worth: the record keeps English words.
SPACINGS = {
    CALIBRATED: gettext_lazy("calibrated"),
    DETECTOR_PLANE: gettext_lazy("detector plane, uncalibrated"),
    "calibration not stated": gettext_lazy("calibration not stated"),  # dicom_identity.NOT_STATED
}


@dataclass(frozen=True)
class Lesion:
    """One outlined region; ``polygon`` and ``box`` (x0, y0, x1, y1) are fractions, ``_px`` canonical pixels."""

    number: int
    polygon: list[list[float]]
    box: list[float]
    polygon_px: list[list[float]]
    box_px: list[float]
    area: float
    probability: float
    size: Size

    @property
    def points(self) -> str:
        """The outline as SVG writes it."""
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in self.polygon_px)

    @property
    def box_size_px(self) -> tuple[float, float]:
        """Width and height of the box."""
        x0, y0, x1, y1 = self.box_px
        return x1 - x0, y1 - y0

    @property
    def size_words(self) -> str:
        """Longest diameter and area with their unit: mm where the image is calibrated, else px."""
        size = self.size
        if size.longest_diameter_mm is not None and size.area_mm2 is not None:
            longest, area = size.longest_diameter_mm, size.area_mm2
            return _("longest diameter %(longest)s mm, area %(area)s mm²") % {
                "longest": _whole(longest),
                "area": _whole(area),
            }
        longest, area = size.longest_diameter_px, size.area_px
        return _("longest diameter %(longest)s px, area %(area)s px²") % {
            "longest": _whole(longest),
            "area": _whole(area),
        }


def _whole(value: float) -> str:
    """A whole number as the language writes it."""
    return written(value, 0, grouped=True)


def lesions_of(analysis: Analysis) -> list[Lesion]:
    """The outlined regions of an answer, the most probable first; none while the image has no canonical image."""
    image = analysis.image
    width, height = image.canonical_width_px, image.canonical_height_px
    if not width or not height:
        return []
    spacing = calibrated_spacing(image)
    ordered = sorted(analysis.regions, key=lambda region: -region["probability"])
    return [_lesion(number, region, (width, height), spacing) for number, region in enumerate(ordered, start=1)]


def _lesion(number: int, region: dict, sides: tuple[int, int], spacing: list[float] | None) -> Lesion:
    polygon, box, area = region["polygon"], region["box"], region["area"]
    return Lesion(
        number=number,
        polygon=polygon,
        box=box,
        polygon_px=_pixels(polygon, sides),
        box_px=[*_pixels([box[:2]], sides)[0], *_pixels([box[2:]], sides)[0]],
        area=area,
        probability=region["probability"],
        size=measure(polygon, area, *sides, spacing),
    )


def calibrated_spacing(image: Image) -> list[float] | None:
    """(row, column) mm per canonical pixel where the file says that they are distances in the patient, else None."""
    return image.pixel_spacing_mm if image.spacing_source == CALIBRATED else None


def no_mm_because(image: Image) -> str:
    """Why sizes are in px, in words; empty where they are in mm."""
    if calibrated_spacing(image) is not None:
        return ""
    return (image.pixel_spacing_mm and spacing_word(image)) or str(NO_SPACING)


def spacing_word(image: Image) -> str:
    """What the image's spacing is worth, in the language of the page; empty where nothing is said."""
    return str(SPACINGS.get(image.spacing_source, image.spacing_source))


def ranking_of(analysis: Analysis) -> list[tuple[str, float]]:
    """Subtypes with their probability, the highest first; a ranking, no diagnosis. Empty unless a tumour is called."""
    if analysis.outcome not in TUMOUR:
        return []
    return sorted(((name, chance) for name, chance in analysis.subtypes), key=lambda entry: -entry[1])


def _pixels(points: Sequence[Sequence[float]], sides: tuple[int, int]) -> list[list[float]]:
    return to_pixels(points, *sides).round(1).tolist()
