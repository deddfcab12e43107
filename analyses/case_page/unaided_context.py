"""What the case page says of the unaided reading before the model's answer, and of what waits for it."""

import json
from datetime import timedelta
from typing import Any, Protocol

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from analyses.blinding.case_state import CaseState
from analyses.models import Image, ReadingRevision, Study, TrialAllocation, UnaidedReading
from analyses.reading.unaided_reading_forms import UnaidedReadingForm

AFTER_LOCK = _("A report shows the model's answer. It is available after you have locked your unaided reading.")
AFTER_STUDY = _(
    "A report shows the model's answer. It is available after the reader study with this case has been closed."
)
AFTER_SIGNATURE = _(
    "A report shows the model's answer, which the trial hides until the signature. Sign the case, "
    "then download the report."
)


class ShownFilm(Protocol):
    """What this module needs of a film on the page."""

    @property
    def image(self) -> Image: ...


def withheld_from(state: CaseState) -> str:
    """Why this user gets no report now, as a sentence; empty when nothing of this kind stands in the way."""
    if not state.is_blind:
        return ""
    if state.in_reader_study:
        return str(AFTER_STUDY)
    return str(AFTER_SIGNATURE if state.hidden_by_allocation else AFTER_LOCK)


def unaided_context(state: CaseState, film: ShownFilm | None) -> dict[str, Any]:
    """What ``analyses/case_page/_unaided_reading.html`` needs."""
    unaided = state.unaided
    return {
        "unaided": unaided,
        "unaided_form": UnaidedReadingForm(initial=unaided_draft(unaided)) if state.to_lock else None,
        "unaided_region": region_words(state.study, unaided.region) if unaided and unaided.region else "",
        "unaided_waits": bool(unaided and unaided.is_locked and unaided.answer and not unaided.answer["complete"]),
        "comparisons": [] if state.is_blind else comparisons_of(state),
        "region_image": film.image if film and film.image.canonical_file else None,
    }


def unaided_draft(unaided: UnaidedReading | None) -> dict[str, Any]:
    """The unaided reading as the form begins with it."""
    if unaided is None:
        return {}
    region = json.dumps(unaided.region) if unaided.region else ""
    return {"reading": unaided.reading, "likelihood": unaided.likelihood, "region": region}


def region_words(study: Study, region: dict[str, Any]) -> str:
    """A region in words: which film and which part of it."""
    keys = [str(key) for key in study.images.order_by("created_at", "id").values_list("pk", flat=True)]
    number = keys.index(region["image"]) + 1 if region["image"] in keys else 0
    left, top, right, bottom = (round(100 * edge) for edge in region["box"])
    words = gettext("film %(number)s, %(left)s to %(right)s %% from the left, %(top)s to %(bottom)s %% from the top")
    return words % {"number": number, "left": left, "right": right, "top": top, "bottom": bottom}


def comparisons_of(state: CaseState) -> list[dict[str, Any]]:
    """Own and final readings of a signed case side by side, with what moved and how long both took.

    While a trial runs nobody but its own reader is told the arm of a case (``arm_told``): who knows the arms that were
    drawn may guess the next ones.
    """
    if not state.is_signed:
        return []
    study, mine = state.study, state.unaided
    rows = list(ReadingRevision.objects.filter(review__study=study).select_related("unaided__reader"))
    secret = bool(rows) and TrialAllocation.objects.filter(study=study, block__trial__closed_at__isnull=True).exists()
    return [
        {
            "change": row,
            "unaided": row.unaided,
            "arm_told": not secret or (mine is not None and row.unaided_id == mine.pk),
            "took_unaided": span_words(row.unaided_reading_ms),
            "took_final": span_words(row.final_reading_ms),
        }
        for row in rows
    ]


def span_words(milliseconds: int) -> str:
    """A reading time: seconds below two minutes, then minutes and seconds."""
    seconds = round(milliseconds / 1000)
    if seconds < 120:
        return f"{seconds} s"
    if seconds < 7200:
        return f"{seconds // 60} min {seconds % 60} s"
    return str(timedelta(seconds=seconds))
