"""Which tag of a film says that it is not what the model is meant for, in words."""

from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from analyses.models import Analysis

NAMES = {
    "modality": _("Modality"),
    "body_part_examined": _("Body part"),
    "anatomic_region": _("Anatomic region"),
    "sop_class": _("Kind of object (SOP class)"),
}
# Modalities that reach a department of radiography by mistake (PS3.3, C.7.3.1.1.1).
MODALITIES = {
    "CT": _("computed tomography"),
    "ES": _("endoscopy"),
    "GM": _("microscopy"),
    "IO": _("intra-oral radiograph"),
    "MG": _("mammography"),
    "MR": _("magnetic resonance"),
    "NM": _("nuclear medicine"),
    "OP": _("photograph of the eye"),
    "OT": _("other"),
    "PT": _("positron emission tomography"),
    "PX": _("panoramic radiograph of the teeth"),
    "RF": _("fluoroscopy"),
    "US": _("ultrasound"),
    "XA": _("angiography"),
    "XC": _("photograph"),
}


def sentence(analysis: Analysis) -> str:
    """A short sentence for each tag, e.g. ``Modality (0008,0060) is MG (mammography).``; empty where there is none."""
    return " ".join(_said(one) for one in analysis.outside_use)


def _said(one: dict[str, Any]) -> str:
    words = {
        "name": NAMES.get(one["tag"], one["tag"]),
        "number": one.get("dicom_tag", ""),
        "value": _value(one),
    }
    if one.get("source") == "typed":
        return gettext("%(name)s was entered as %(value)s.") % words
    return gettext("%(name)s %(number)s is %(value)s.") % words


def _value(one: dict[str, Any]) -> str:
    value = str(one["value"])
    if one["tag"] == "anatomic_region":
        code = " ".join(part for part in (one.get("scheme"), value) if part)
        return f"{one['meaning']} ({code})" if one.get("meaning") else code
    known = MODALITIES.get(value.upper()) if one["tag"] in ("modality", "sop_class") else None
    return f"{value} ({known})" if known else value
