"""What the decoder remarks on the pixels of a film, in words for the page of its case and for the report."""

from django.utils.translation import gettext_lazy as _

REMARKS = {
    "additional_images_ignored": _("The file contains further images (previews, views). Only the main image is used."),
    "no_window": _("The file has no usable display window. The grey range was set from the image."),
    "window_unusable": _("The display window in the file shows no content. The grey range was set from the image."),
    "rescale_ignored": _("The value scaling in the file is invalid and was ignored."),
    "lut_ignored": _("A lookup table in the file is invalid and was ignored."),
    "pixel_aspect_ignored": _(
        "The stated pixel aspect ratio is implausible and was ignored. Proportions may be wrong."
    ),
    "spacing_ignored": _("The stated pixel spacing is implausible and was ignored. Sizes in mm may be missing."),
    "orientation_ignored": _("The stated orientation is unreadable. The image may be rotated."),
    "preamble_missing": _("The file has no DICOM preamble. It was read as DICOM from its first element."),
    "header_incomplete": _("The file lacks elements that describe its pixels. The usual values were used."),
    "pixel_data_longer": _(
        "The file holds more pixel data than its rows and columns need. Part of the image may be missing."
    ),
    "bits_contradict": _("The file contradicts itself on the bits of its pixel values. Check the grey scale."),
    "codestream_contradicts": _(
        "File and compressed image disagree about depth, sign or compression. The compressed image was followed."
    ),
    "lut_depth_contradicts": _(
        "A lookup table has fewer bits than the file states. Its brightest entry is shown white."
    ),
    "inversion_contradicts": _(
        "The file contradicts itself on whether low values are bright. Check that bone is bright."
    ),
    "intensity_sign_contradicts": _("According to the file, bone is dark in this image. Check that bone is bright."),
    "overlays_not_shown": _(
        "The file contains drawings or markers that are not shown. A side marker may be among them."
    ),
    "shutter_applied": _("The area outside the display shutter is black, as the file states."),
    "shutter_ignored": _("The display shutter in the file cannot be applied. The whole image is shown."),
    "presentation_ignored": _(
        "The file asks for a display that is not applied. Other programs may show the image differently."
    ),
    "display_elements_unknown": _(
        "The file contains unknown display elements. Other programs may show the image differently."
    ),
    "quality_control_image": _("According to the file, this is a quality control image and not a patient's film."),
    "depth_reduced": _("Only 8 bits of each sample could be read. Faint differences may be missing."),
}
# Remarks that only say how the file was read: nobody who reads the report later needs them.
NOT_IN_REPORTS = frozenset(
    (
        *("additional_images_ignored", "no_window", "preamble_missing", "header_incomplete"),
        *("shutter_applied", "lut_depth_contradicts"),
    )
)
