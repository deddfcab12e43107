"""What one user may see of one case, and what the page says of the own reading before the model's answer."""

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from analyses.blinding import SIGNED, reads_first, sees_model
from analyses.forms.own_reading import OwnReadingForm
from analyses.models import ChangeOfMind, Image, OwnReading, Review, Study, TrialAllocation
from analyses.reader_studies.blinding import is_hidden_by_study

AFTER_LOCK = _("A report shows the model's answer. It can be had once your own reading is locked.")
AFTER_STUDY = _(
    "A report shows the model's answer. It can be had once the reader study that holds this case is closed."
)
AFTER_SIGNATURE = _(
    "A report shows the model's answer, which the trial's random allocation hides until the signature. "
    "Sign, then download it."
)


class ShownFilm(Protocol):
    """What this module needs of a film on the page."""

    @property
    def image(self) -> Image: ...


@dataclass(frozen=True)
class Sight:
    """One user before one case.

    Attributes:
        own: this user's own reading, open or locked.
        blind: the model's answer must not be shown.
        in_study: it must not because this user reads the case for a reader study that is open.
        reads_first: an own reading is to be made, or was made.
        answered_to: whose locked own reading fixes the answer that is shown.
    """

    own: OwnReading | None
    blind: bool
    in_study: bool
    reads_first: bool
    answered_to: User | None

    @property
    def hidden_by_lot(self) -> bool:
        """Whether the own reading is locked and the answer waits for the signature."""
        return self.blind and not self.in_study and self.own is not None and self.own.is_locked

    @property
    def to_begin(self) -> bool:
        """Whether the reading is still to be opened."""
        return self.blind and not self.in_study and self.own is None

    @property
    def to_lock(self) -> bool:
        """Whether the reading is open and not locked."""
        return self.blind and not self.in_study and self.own is not None and not self.own.is_locked

    @property
    def report_blocker(self) -> str:
        """Why this user gets no report now; empty when nothing of this kind stands in the way."""
        if not self.blind:
            return ""
        if self.in_study:
            return str(AFTER_STUDY)
        return str(AFTER_SIGNATURE if self.hidden_by_lot else AFTER_LOCK)


def sight_of(study: Study, user: User) -> Sight:
    """What this user may see of this case now."""
    own = OwnReading.objects.filter(study=study, reader=user).first()
    answered_to: User | None = user
    if study.reading_state in SIGNED:
        review = Review.objects.filter(study=study).select_related("reader").first()
        answered_to = review.reader if review else user
    blind = not sees_model(user, study)
    in_study = blind and is_hidden_by_study(user, study)
    return Sight(own, blind, in_study, blind or own is not None or reads_first(user), answered_to)


def own_context(study: Study, sight: Sight, film: ShownFilm | None) -> dict[str, Any]:
    """What ``analyses/_own_reading.html`` needs."""
    own = sight.own
    return {
        "sight": sight,
        "own": own,
        "own_form": OwnReadingForm(initial=own_draft(own)) if sight.to_lock else None,
        "own_region": region_words(study, own.region) if own and own.region else "",
        "own_waits": bool(own and own.is_locked and own.answer and not own.answer["complete"]),
        "comparisons": [] if sight.blind else comparisons_of(study, sight.own),
        "region_image": film.image if film and film.image.canonical_file else None,
    }


def own_draft(own: OwnReading | None) -> dict[str, Any]:
    """The own reading as the form begins with it."""
    if own is None:
        return {}
    region = json.dumps(own.region) if own.region else ""
    return {"reading": own.reading, "likelihood": own.likelihood, "region": region}


def region_words(study: Study, region: dict[str, Any]) -> str:
    """A region in words: which film and which part of it."""
    keys = [str(key) for key in study.images.order_by("created_at", "id").values_list("pk", flat=True)]
    number = keys.index(region["image"]) + 1 if region["image"] in keys else 0
    left, top, right, bottom = (round(100 * edge) for edge in region["box"])
    words = gettext("film %(number)s, %(left)s to %(right)s %% from the left, %(top)s to %(bottom)s %% from the top")
    return words % {"number": number, "left": left, "right": right, "top": top, "bottom": bottom}


def comparisons_of(study: Study, mine: OwnReading | None) -> list[dict[str, Any]]:
    """Own and final readings of a signed case side by side, with what moved and how long both took.

    While a trial runs nobody but its own reader is told the arm of a case (``arm_told``): who knows the arms that were
    drawn may guess the next ones.
    """
    rows = ChangeOfMind.objects.filter(review__study=study).select_related("own__reader")
    secret = TrialAllocation.objects.filter(study=study, block__trial__closed_at__isnull=True).exists()
    return [
        {
            "change": row,
            "own": row.own,
            "arm_told": not secret or (mine is not None and row.own_id == mine.pk),
            "took_own": span_words(row.own_reading_ms),
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
