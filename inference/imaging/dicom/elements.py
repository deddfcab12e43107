"""The one table of the elements that say how to read or to show pixels: what is done with each,
and where it is defined.

`docs/dicom.md` is written from it. An element of these groups that has no row here is remarked on as unknown, so that
nothing passes silently. Sources are parts of DICOM 2025: PS3.3 (modules), PS3.5 (encoding).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from pydicom.datadict import RepeatersDictionary, tag_for_keyword

OVERLAY_GROUPS, CURVE_GROUPS = range(0x6000, 0x6020, 2), range(0x5000, 0x5020, 2)
# Groups of which every element is about pixels or their display.
WATCHED_GROUPS = frozenset((0x0028, 0x0070, 0x2050, 0x7FE0, *OVERLAY_GROUPS, *CURVE_GROUPS))
UNKNOWN = "display_elements_unknown"
_REPEATED = {row[4]: int(mask.replace("x", "0"), 16) for mask, row in RepeatersDictionary.items()}


class Use(StrEnum):
    """What is done with an element."""

    READ = "read"
    REFUSED = "refused"
    REMARKED = "remarked"
    HARMLESS = "ignored"


@dataclass(frozen=True)
class Element:
    """One row: `code` is the refusal or remark, `note` says how it is used or why it cannot change the picture.

    `quiet` are values of a remarked or refused element that say nothing special.
    """

    keyword: str
    use: Use
    note: str
    source: str
    code: str = ""
    quiet: tuple[str, ...] = ()

    @property
    def tag(self) -> int:
        """The element's number; of a repeating group, its first."""
        number = tag_for_keyword(self.keyword)
        return _REPEATED[self.keyword] if number is None else int(number)

    @property
    def shown_tag(self) -> str:
        """(gggg,eeee), as PS3.6 writes it."""
        digits = f"{self.tag:08X}"
        group = f"{digits[:2]}xx" if is_repeating(self.tag >> 16) else digits[:4]
        return f"({group},{digits[4:]})"


def is_repeating(group: int) -> bool:
    """Whether the group is one of the overlay planes or curves (PS3.5, 7.6)."""
    return group in OVERLAY_GROUPS or group in CURVE_GROUPS


def _rows(
    use: Use, note: str, source: str, *keywords: str, code: str = "", quiet: tuple[str, ...] = ()
) -> list[Element]:
    return [Element(keyword, use, note, source, code, quiet) for keyword in keywords]


_PIXELS, _VOI, _PALETTE = "PS3.3, C.7.6.3", "PS3.3, C.11.2", "PS3.3, C.7.9"
_FRAMES, _OVERLAY = "PS3.3, C.7.6.6", "PS3.3, C.9.2"

_READ = [
    *_rows(Use.READ, "size of the image; none: `no_pixels`, unless the codestream says it", _PIXELS, "Rows", "Columns"),
    *_rows(Use.READ, "1 or 3; where it is missing, 1 or what the codestream says", _PIXELS, "SamplesPerPixel"),
    *_rows(
        Use.READ, "grey, palette, RGB or YBR, others: `unreadable`; missing: low values dark", _PIXELS,
        "PhotometricInterpretation",
    ),
    *_rows(Use.READ, "order of colour samples", _PIXELS, "PlanarConfiguration"),
    *_rows(Use.READ, "more than one: `multi_frame`", _FRAMES, "NumberOfFrames"),
    *_rows(
        Use.READ, "how samples lie in their words; a codestream's own depth goes first", "PS3.5, 8.1.1",
        "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation",
    ),
    *_rows(
        Use.READ, "the pixels; fewer than stated: `truncated`, more: `pixel_data_longer`", "PS3.5, 8",
        "PixelData", "FloatPixelData", "DoubleFloatPixelData",
    ),
    *_rows(Use.READ, "proportions and millimetres", "PS3.3, 10.7.1.3", "PixelSpacing", "PixelSpacingCalibrationType"),
    *_rows(Use.READ, "proportions and millimetres", "PS3.3, C.8.11.4", "ImagerPixelSpacing"),
    *_rows(Use.READ, "proportions and millimetres", "PS3.3, C.8.6.1", "NominalScannedPixelSpacing"),
    *_rows(Use.READ, "proportions", "PS3.3, C.7.6.3.1.7", "PixelAspectRatio"),
    *_rows(
        Use.READ, "these values are shown black and do not count for the grey range", "PS3.3, C.7.5.1.1.2",
        "PixelPaddingValue", "PixelPaddingRangeLimit", "FloatPixelPaddingValue", "FloatPixelPaddingRangeLimit",
        "DoubleFloatPixelPaddingValue", "DoubleFloatPixelPaddingRangeLimit",
    ),
    *_rows(
        Use.READ, "stored values to meant ones; invalid: `rescale_ignored`, `lut_ignored`", "PS3.3, C.11.1",
        "ModalityLUTSequence", "RescaleSlope", "RescaleIntercept", "RescaleType",
    ),
    *_rows(
        Use.READ, "the first usable one; invalid: `lut_ignored`, of fewer bits than stated: `lut_depth_contradicts`",
        _VOI, "VOILUTSequence",
    ),
    *_rows(
        Use.READ, "the first usable window; none: `no_window`, one that shows nothing: `window_unusable`", _VOI,
        "WindowCenter", "WindowWidth", "VOILUTFunction", "WindowCenterWidthExplanation",
    ),
    *_rows(
        Use.READ, "INVERSE: low values bright; against the photometric interpretation: `inversion_contradicts`",
        "PS3.3, C.11.6 and C.8.11.3.1.2", "PresentationLUTShape",
    ),
    *_rows(
        Use.READ, "bone dark as shown: `intensity_sign_contradicts`; linear raw data: `raw_detector_data`",
        "PS3.3, C.8.11.3.1.2", "PixelIntensityRelationship", "PixelIntensityRelationshipSign",
    ),
    *_rows(
        Use.READ, "a palette's luminance; of fewer bits than stated: `lut_depth_contradicts`", _PALETTE,
        *(f"{colour}PaletteColorLookupTable{part}" for colour in ("Red", "Green", "Blue") for part in ("Descriptor",
        "Data")),
        *(f"Segmented{colour}PaletteColorLookupTableData" for colour in ("Red", "Green", "Blue")),
    ),
    *_rows(
        Use.READ, "black outside, with the remark `shutter_applied`; a shape that cannot be drawn: `shutter_ignored`",
        "PS3.3, C.7.6.11", "ShutterShape", "ShutterLeftVerticalEdge", "ShutterRightVerticalEdge",
        "ShutterUpperHorizontalEdge", "ShutterLowerHorizontalEdge", "CenterOfCircularShutter",
        "RadiusOfCircularShutter",
        "VerticesOfThePolygonalShutter",
    ),
    *_rows(Use.READ, "YES: the remark `burned_in_annotation`", "PS3.3, C.7.6.1", "BurnedInAnnotation"),
]  # fmt: skip

_REFUSED = [
    *_rows(
        Use.REFUSED, "FOR PROCESSING, or a storage class for it: raw detector data is a negative without grey scale",
        "PS3.3, C.8.11.1 and A.26", "PresentationIntentType", code="raw_detector_data", quiet=("FOR PRESENTATION",),
    ),
    *_rows(Use.REFUSED, "pixels that only a server holds", "PS3.3, C.7.6.3", "PixelDataProviderURL", code="no_pixels"),
]  # fmt: skip

_PRESENTATION, _OLD = "presentation_ignored", "Retired; last in PS3.3 of 1998 to 2004"
_REMARKED = [
    *_rows(
        Use.REMARKED, "drawings over the image are not shown", _OVERLAY, "OverlayData", "OverlayBitPosition",
        "OverlayRows",
        "OverlayColumns", "OverlayOrigin", "OverlayType", "OverlayBitsAllocated", code="overlays_not_shown",
    ),
    *_rows(Use.REMARKED, "curves are not drawn", _OLD, "CurveData", "CurveDimensions", code="overlays_not_shown"),
    *_rows(Use.REMARKED, "drawings are not shown", "PS3.3, C.10.5", "GraphicAnnotationSequence",
    code="overlays_not_shown"),
    *_rows(
        Use.REMARKED, "turning, mirroring, cutting and zooming are a presentation state's and not done",
        "PS3.3, C.10.4 and C.10.6", "DisplayedAreaSelectionSequence", code=_PRESENTATION,
    ),
    *_rows(Use.REMARKED, "not turned", "PS3.3, C.10.6", "ImageRotation", code=_PRESENTATION, quiet=("0",)),
    *_rows(Use.REMARKED, "not mirrored", "PS3.3, C.10.6", "ImageHorizontalFlip", code=_PRESENTATION, quiet=("N",)),
    *_rows(Use.REMARKED, "not applied", "PS3.3, C.11.4", "PresentationLUTSequence", code=_PRESENTATION),
    *_rows(Use.REMARKED, "not applied", "PS3.3, C.11.8", "SoftcopyVOILUTSequence", code=_PRESENTATION),
    *_rows(Use.REMARKED, "no mask is subtracted", "PS3.3, C.7.6.10", "MaskSubtractionSequence", code=_PRESENTATION),
    *_rows(
        Use.REMARKED, "NAT is how the image is shown", "PS3.3, C.7.6.10", "RecommendedViewingMode", code=_PRESENTATION,
        quiet=("NAT",),
    ),
    *_rows(
        Use.REMARKED, "groups of an enhanced object are not read: windows, scaling and spacing in them are not applied",
        "PS3.3, C.7.6.16", "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence", code=_PRESENTATION,
    ),
    *_rows(
        Use.REMARKED, "colours of an enhanced palette are not applied", "PS3.3, C.7.6.23",
        "DataFrameAssignmentSequence",
        "EnhancedPaletteColorLookupTableSequence", "BlendingLUT1Sequence", "BlendingLUT2Sequence", code=_PRESENTATION,
    ),
    *_rows(
        Use.REMARKED, "colours laid over grey values are not applied", "PS3.3, C.8.33", "StoredValueColorRangeSequence",
        code=_PRESENTATION,
    ),
    *_rows(
        Use.REMARKED, "supplemental colour: what lies above the grey values is not coloured", "PS3.3, C.7.6.19",
        "PixelPresentation", code=_PRESENTATION, quiet=("MONOCHROME", "COLOR", "TRUE_COLOR"),
    ),
    *_rows(Use.REMARKED, "not applied", "PS3.3, C.8.19.6", "PixelShiftSequence", "FramePixelShiftSequence",
    code=_PRESENTATION),
    *_rows(
        Use.REMARKED, "transparency is not applied", _PALETTE, "AlphaPaletteColorLookupTableDescriptor",
        "AlphaPaletteColorLookupTableData", "SegmentedAlphaPaletteColorLookupTableData", code=_PRESENTATION,
    ),
    *_rows(
        Use.REMARKED, "old tables are not applied", _OLD, "GrayLookupTableDescriptor", "GrayLookupTableData",
        *(f"Large{colour}PaletteColorLookupTable{part}" for colour in ("Red", "Green",
        "Blue") for part in ("Descriptor", "Data")),
        code="lut_ignored",
    ),
    *_rows(
        Use.REMARKED, "old ways to pack pixels are not undone", _OLD, "CompressionCode", code=_PRESENTATION,
        quiet=("NONE",),
    ),
    *_rows(
        Use.REMARKED, "old ways to pack pixels are not undone", _OLD, "CompressionSequence",
        "CompressionRecognitionCode", "PerimeterTable", "PredictorRows", "PredictorColumns", "BlockedPixels",
        "BitsGrouped",
        "DCTLabel", "TransformLabel", code=_PRESENTATION,
    ),
    *_rows(
        Use.REMARKED, "an image to test the device, of no patient", "PS3.3, C.7.6.1", "QualityControlImage",
        code="quality_control_image", quiet=("NO",),
    ),
    *_rows(
        Use.REMARKED, "a shutter drawn as an overlay is not applied", "PS3.3, C.7.6.15", "ShutterOverlayGroup",
        code="shutter_ignored",
    ),
]  # fmt: skip

_HARMLESS = [
    *_rows(
        Use.HARMLESS, "with one frame there is nothing to find by it", "PS3.5, A.4", "ExtendedOffsetTable",
        "ExtendedOffsetTableLengths", "EncapsulatedPixelDataValueTotalLength",
    ),
    *_rows(
        Use.HARMLESS, "only several frames are put in order by it", _FRAMES, "FrameIncrementPointer",
        "FrameDimensionPointer",
        "RepresentativeFrameNumber", "FrameNumbersOfInterest", "FrameOfInterestDescription", "FrameOfInterestType",
    ),
    *_rows(
        Use.HARMLESS, "says which values occur, changes none", _PIXELS, "SmallestImagePixelValue",
        "LargestImagePixelValue",
        "SmallestPixelValueInSeries", "LargestPixelValueInSeries", "SmallestValidPixelValue", "LargestValidPixelValue",
        "SmallestImagePixelValueInPlane", "LargestImagePixelValueInPlane", "SamplesPerPixelUsed", "Planes",
        "ImageDimensions",
        "ImageFormat", "ImageLocation", "GrayScale", "DataRepresentation", "LargestMonochromePixelValue",
    ),
    *_rows(
        Use.HARMLESS, "says what was done to the pixels that are stored", "PS3.3, C.7.6.1", "LossyImageCompression",
        "LossyImageCompressionRatio", "LossyImageCompressionMethod", "CorrectedImage", "ManipulatedImage",
        "ImageProcessingApplied", "UltrasoundColorDataPresent",
    ),
    *_rows(Use.HARMLESS, "names the tables, of which the file must hold the data", _PALETTE,
    "PaletteColorLookupTableUID"),
    *_rows(
        Use.HARMLESS, "colour becomes luminance", "PS3.3, C.11.15", "ICCProfile", "ColorSpace",
        "ReferencedColorPaletteInstanceUID",
    ),
    *_rows(
        Use.HARMLESS, "the shutter is always black", "PS3.3, C.7.6.11", "ShutterPresentationValue",
        "ShutterPresentationColorCIELabValue",
    ),
    *_rows(
        Use.HARMLESS, "words about the image or the patient", "PS3.3, C.7.6.1", "PixelSpacingCalibrationDescription",
        "RecognizableVisualFeatures", "LongitudinalTemporalInformationModified", "BreastImplantPresent", "PartialView",
        "PartialViewDescription", "PartialViewCodeSequence", "SpatialLocationsPreserved", "ImagePresentationComments",
        "DataPointRows", "DataPointColumns", "SignalDomainRows", "SignalDomainColumns", "GeometricalProperties",
        "GeometricMaximumDistortion", "RWavePointer", "ImageToEquipmentMappingMatrix",
        "EquipmentCoordinateSystemIdentification",
    ),
    *_rows(
        Use.HARMLESS, "words of an overlay or curve, whose drawing is remarked on", _OVERLAY, "NumberOfFramesInOverlay",
        "OverlayDescription", "OverlaySubtype", "ImageFrameOrigin", "OverlayLabel", "OverlayActivationLayer",
        "ROIArea", "ROIMean",
        "ROIStandardDeviation", "TypeOfData", "NumberOfPoints", "CurveDescription", "AxisUnits", "AxisLabels",
        "DataValueRepresentation",
    ),
    *_rows(
        Use.HARMLESS, "names of a presentation", "PS3.3, C.10.9", "ContentLabel", "ContentDescription",
        "ContentCreatorName",
        "PresentationCreationDate", "PresentationCreationTime", "AlternateContentDescriptionSequence",
    ),
    *_rows(
        Use.HARMLESS, "collimators and fields are in the pixels already", "PS3.3, C.8.7.3", "CollimatorShape",
        "FieldOfViewRotation", "FieldOfViewHorizontalFlip",
    ),
    *_rows(Use.HARMLESS, "numbers beside the pixels, for measuring", "PS3.3, C.7.6.16.2.11",
    "RealWorldValueMappingSequence"),
    *_rows(Use.HARMLESS, "a small copy of the image", "PS3.3, C.7.6.1.1.6", "IconImageSequence"),
]  # fmt: skip

TABLE: tuple[Element, ...] = (*_READ, *_REFUSED, *_REMARKED, *_HARMLESS)
_BY_TAG = {element.tag: element for element in TABLE}


def element_of(tag: int) -> Element | None:
    """Return the row of this element, also where its group repeats."""
    group = tag >> 16
    if is_repeating(group):
        tag = (group & 0xFF00) << 16 | tag & 0xFFFF
    return _BY_TAG.get(tag)


def is_unknown(tag: int) -> bool:
    """Whether the element is about pixels or display and has no row; group lengths (PS3.5, 7.2) say nothing."""
    return tag >> 16 in WATCHED_GROUPS and bool(tag & 0xFFFF) and element_of(tag) is None


def tags(*uses: Use) -> Iterator[int]:
    """Yield the numbers of the elements that are used so; repeating groups in all their places."""
    for element in TABLE:
        if element.use in uses:
            group, rest = element.tag >> 16, element.tag & 0xFFFF
            groups = [group] if not is_repeating(group) else OVERLAY_GROUPS if group >= 0x6000 else CURVE_GROUPS
            yield from (number << 16 | rest for number in groups)
