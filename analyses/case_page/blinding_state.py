"""What one user may see of one case, and what the page says of the unaided reading before the model's answer."""

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from analyses.blinding.reader_study import is_hidden_by_reader_study
from analyses.blinding.rules import reads_first, sees_model
from analyses.models import SIGNED_STATES, Image, ReadingRevision, Review, Study, TrialAllocation, UnaidedReading
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


@dataclass(frozen=True)
class BlindingState:
    """One user before one case.

    Attributes:
        unaided: this user's unaided reading, open or locked.
        blind: the model's answer must not be shown.
        in_reader_study: it must not because this user reads the case for a reader study that is open.
        reads_first: an unaided reading is to be made, or was made.
        answered_to: whose locked unaided reading fixes the answer that is shown.
    """

    unaided: UnaidedReading | None
    blind: bool
    in_reader_study: bool
    reads_first: bool
    answered_to: User | None

    @property
    def hidden_by_allocation(self) -> bool:
        """Whether the unaided reading is locked and the answer waits for the signature."""
        return self.blind and not self.in_reader_study and self.unaided is not None and self.unaided.is_locked

    @property
    def to_begin(self) -> bool:
        """Whether the reading is still to be opened."""
        return self.blind and not self.in_reader_study and self.unaided is None

    @property
    def to_lock(self) -> bool:
        """Whether the reading is open and not locked."""
        return self.blind and not self.in_reader_study and self.unaided is not None and not self.unaided.is_locked

    @property
    def report_blocker(self) -> str:
        """Why this user gets no report now; empty when nothing of this kind stands in the way."""
        if not self.blind:
            return ""
        if self.in_reader_study:
            return str(AFTER_STUDY)
        return str(AFTER_SIGNATURE if self.hidden_by_allocation else AFTER_LOCK)


def blinding_state_of(study: Study, user: User) -> BlindingState:
    """What this user may see of this case now."""
    unaided = UnaidedReading.objects.filter(study=study, reader=user).first()
    answered_to: User | None = user
    if study.reading_state in SIGNED_STATES:
        review = Review.objects.filter(study=study).select_related("reader").first()
        answered_to = review.reader if review else user
    blind = not sees_model(user, study)
    in_reader_study = blind and is_hidden_by_reader_study(user, study)
    return BlindingState(
        unaided, blind, in_reader_study, blind or unaided is not None or reads_first(user), answered_to
    )


def unaided_context(study: Study, blinding: BlindingState, film: ShownFilm | None) -> dict[str, Any]:
    """What ``analyses/case_page/_unaided_reading.html`` needs."""
    unaided = blinding.unaided
    return {
        "blinding": blinding,
        "unaided": unaided,
        "unaided_form": UnaidedReadingForm(initial=unaided_draft(unaided)) if blinding.to_lock else None,
        "unaided_region": region_words(study, unaided.region) if unaided and unaided.region else "",
        "unaided_waits": bool(unaided and unaided.is_locked and unaided.answer and not unaided.answer["complete"]),
        "comparisons": [] if blinding.blind else comparisons_of(study, blinding.unaided),
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


def comparisons_of(study: Study, mine: UnaidedReading | None) -> list[dict[str, Any]]:
    """Own and final readings of a signed case side by side, with what moved and how long both took.

    While a trial runs nobody but its own reader is told the arm of a case (``arm_told``): who knows the arms that were
    drawn may guess the next ones.
    """
    rows = ReadingRevision.objects.filter(review__study=study).select_related("unaided__reader")
    secret = TrialAllocation.objects.filter(study=study, block__trial__closed_at__isnull=True).exists()
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
