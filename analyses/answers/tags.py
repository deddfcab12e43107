"""Template tags that draw an outcome, a probability on its scale, a time and an age the same way on every page."""

from datetime import date, datetime
from typing import Any

from django import template
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from analyses.answers import lesions as found
from analyses.answers import tasks, wording
from analyses.formatting import written
from analyses.models import Analysis, Image, Stage, Study
from analyses.record.forms import BODY_PARTS
from analyses.stored_words import body_part_words

register = template.Library()
for words in (
    wording.point_name,
    wording.point_words,
    wording.probability,
    wording.saliency_worth,
    wording.site_mark,
    wording.subtype_word,
    wording.withheld_reasons,
    found.no_mm_because,
):
    register.filter(words)
register.filter("ranking", found.ranking_of)
register.filter("task_word", tasks.task_word)


@register.simple_tag
def outcome_tag(row: Analysis | Study) -> SafeString:
    """Word and shape of the outcome or state of an analysis or a case."""
    css, word = wording.tag_and_word(row)
    return format_html('<span class="tag tag--{}">{}</span>', css, word)


@register.filter
def percent_of(value: float | None) -> str:
    """A share of 1 as a percentage for SVG attributes, e.g. ``81.2%``."""
    return f"{100 * min(1.0, max(0.0, value or 0.0)):.1f}%"


@register.inclusion_tag("analyses/answers/_scale.html")
def probability_scale(analysis: Analysis) -> dict[str, Any]:
    """The probability of what was looked for on a scale with its operating point; labels stay inside the drawing.

    Nothing is drawn for an answer that was withheld: a mark beside a cut-off would be one.
    """
    threshold, value = tasks.cut_off_of(analysis), shown_probability(analysis)
    return {
        "task": analysis.task,
        "value": value,
        "threshold": threshold,
        "threshold_name": wording.point_name(analysis.operating_point),
        "above": None if threshold is None else 1 - threshold,
        "value_anchor": _anchor(value),
        "threshold_anchor": _anchor(threshold),
    }


def _anchor(position: float | None) -> str:
    if position is None or 0.15 <= position <= 0.85:
        return "middle"
    return "start" if position < 0.15 else "end"


@register.simple_tag
def when(moment: datetime | None, *, relative: bool = True) -> SafeString | str:
    """A time: relative on screen (ui.js), the exact one in the text without script and on hover."""
    if moment is None:
        return ""
    local = timezone.localtime(moment)
    exact = date_format(local, "SHORT_DATETIME_FORMAT")
    return format_html(
        '<time datetime="{}" title="{}"{}>{}</time>',
        local.isoformat(timespec="seconds"),
        f"{date_format(local, 'SHORT_DATE_FORMAT')} {local:%H:%M:%S %Z}",
        SafeString(" data-relative") if relative else "",
        exact,
    )


@register.simple_tag
def age(born: date | None, on: date | None = None) -> str:
    """Full years at the examination, or today."""
    if born is None:
        return ""
    day = on or timezone.localdate()
    years = day.year - born.year - ((day.month, day.day) < (born.month, born.day))
    return _("%(years)s y") % {"years": years}


@register.filter
def duration(milliseconds: float | None) -> str:
    """A stage time: ms below one second, seconds above."""
    if milliseconds is None:
        return ""
    return f"{milliseconds:.0f} ms" if milliseconds < 1000 else f"{written(milliseconds / 1000, 1)} s"


@register.filter
def action_word(action: str) -> str:
    """A line of the trail in words."""
    return str(wording.ACTIONS.get(action, action.replace("_", " ")))


@register.filter
def spacing(image: Image) -> str:
    """Pixel spacing with what it is worth, e.g. ``0.143 mm/px, detector plane, uncalibrated``."""
    if not image.pixel_spacing_mm:
        return _("no pixel spacing")
    row, column = image.pixel_spacing_mm
    one = abs(row - column) < 0.0005
    size = written(row, 3) if one else f"{written(row, 3)} x {written(column, 3)}"
    worth = found.spacing_word(image)
    return f"{size} mm/px, {worth}" if worth else f"{size} mm/px"


@register.filter
def shown_probability(row: Analysis | Study) -> float | None:
    """The probability of what was looked for (P(malignant)) where the model answered; a withheld answer has none."""
    return wording.shown_value(row)


@register.simple_tag
def not_an_answer() -> str:
    """What the probabilities of a withheld answer are not."""
    return str(wording.NOT_AN_ANSWER)


@register.simple_tag
def model_url(analysis: Analysis) -> str:
    """The model page of the version that answered, not of the one that answers now."""
    if not analysis.model_name:
        return reverse("analyses:model")
    return reverse("analyses:model_version", args=[f"{analysis.model_name}-{analysis.model_version}"])


@register.filter
def class_words(prediction_set: list[str]) -> str:
    """The outcomes of a conformal set in words."""
    return ", ".join(wording.class_names(prediction_set)) or _("empty")


@register.filter
def lesions(analysis: Analysis | None) -> list[found.Lesion]:
    """The outlined regions with their sizes."""
    return found.lesions_of(analysis) if analysis else []


@register.filter
def svg_number(value: float) -> str:
    """A number for SVG attributes, which no locale changes."""
    return f"{value:.1f}"


@register.filter
def short_hash(digest: str) -> str:
    """The first twelve hex digits; the whole stands in the title."""
    return digest[:12]


@register.simple_tag
def operating_point_sentence(analysis: Analysis) -> str:
    """The probability against its operating point, in a sentence."""
    return wording.operating_point_sentence(analysis)


@register.simple_tag
def meaning(analysis: Analysis) -> str:
    """What the answer means for the reader."""
    return wording.meaning(analysis)


@register.filter
def probability_rows(analysis: Analysis) -> list[tuple[str, float]]:
    """Malignant first, in words."""
    given = analysis.probabilities or {}
    words = [("malignant", _("malignant")), ("benign", _("benign")), ("normal", _("no tumour found"))]
    words += [("fracture", _("fracture")), ("no_fracture", _("no fracture found"))]
    return [(word, given[name]) for name, word in words if name in given]


@register.filter
def stage_times(analysis: Analysis) -> list[tuple[str, float]]:
    """Stage in words and ms, in the order of work; what is no stage comes last."""
    times = dict(analysis.timings_ms or {})
    known = [(str(stage.label), times.pop(stage.value)) for stage in Stage if stage.value in times]
    return known + sorted(times.items())


@register.simple_tag
def body_parts() -> list[tuple[str, str]]:
    """Suggestions for the body part: DICOM's term (PS3.16, CID 4), which is stored, and its name."""
    return [(part, body_part_words(part)) for part in BODY_PARTS]


@register.filter
def body_part(stored: str) -> str:
    """A stored body part in words."""
    return body_part_words(stored)


@register.filter
def figure(value: float | None) -> str:
    """A measured figure: three decimals; whole numbers stay whole."""
    if value is None:
        return ""
    return str(value) if isinstance(value, int) else written(value, 3)


@register.filter
def waited(seconds: float) -> str:
    """A time span in the largest unit that fits."""
    if seconds >= 172800:
        return _("%(number)s days") % {"number": round(seconds / 86400)}
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


@register.filter
def millions(count: int) -> str:
    """A number of pixels in millions, without needless decimals."""
    return str(number_format(f"{count / 1e6:g}"))
