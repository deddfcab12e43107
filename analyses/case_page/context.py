"""What the case page shows, gathered in one place so that the page, its poll and its error answers agree."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Prefetch
from django.utils.translation import gettext

from accounts.models import AuditEvent, User
from analyses.answers import wording
from analyses.answers.agreement import agreeing_reading
from analyses.answers.suspicion import rank
from analyses.blinding import snapshots
from analyses.blinding.rules import case_without_answer, without_answer
from analyses.case_page.blinding_state import BlindingState, blinding_state_of, unaided_context
from analyses.case_page.reading_context import reading_context
from analyses.models import Analysis, Image, Report, Review, Stage, Status, Study, Task
from analyses.pipeline import queue
from analyses.reading.forms import AddendumForm, initial_of_review
from analyses.record import identity
from analyses.stored_words import body_part_words

STAGES = [stage for stage in Stage.values if stage != Stage.DONE]
TRAIL_LENGTH = 200
# Every look at the page fetches the film, and the trail already has the look; a reader study's cases have no names.
NOT_IN_TRAIL = ("download_image", "view_study_case", "submit_study_reading")
# A colleague's referral says that something called the case suspicious.
REVEALING_ACTIONS = ("refer", "download_referral")


@dataclass(frozen=True)
class CaseFilm:
    """One film with its current analysis and the earlier ones."""

    image: Image
    analysis: Analysis
    earlier: list[Analysis]
    number: int  # in the order in which the films came, from 1
    newer: bool = False  # a newer answer than the one shown, which is that of the lock, is in the record

    @property
    def sort_key(self) -> tuple[int, float, int]:
        """Most suspicious first; films without an answer last."""
        return *rank(self.analysis.outcome, self.analysis.malignant_probability), self.number


def films_of(study: Study, blinding: BlindingState) -> list[CaseFilm]:
    """The films of a case, the most suspicious first; as they came, and without answers, for whoever is blind."""
    images = (
        study.images.select_related("study__patient")
        .prefetch_related(
            Prefetch("analyses", queryset=Analysis.objects.of_task(Task.TUMOUR).order_by("-created_at", "id"))
        )
        .order_by("created_at", "id")
    )
    answered = {row.image_id: row for row in snapshots.answered_analyses(study, blinding.answered_to)}
    films = []
    for number, image in enumerate(images, start=1):
        analyses = list(image.analyses.all())
        if not analyses:
            continue
        shown = answered.get(image.pk, analyses[0])
        shown.image = image
        if blinding.blind:
            films.append(CaseFilm(image, without_answer(shown), [], number))
            continue
        place = next((at for at, row in enumerate(analyses) if row.pk == shown.pk), 0)
        newer = place > 0 or shown.status != analyses[place].status
        films.append(CaseFilm(image, shown, analyses[place + 1 :], number, newer))
    return films if blinding.blind else sorted(films, key=lambda film: film.sort_key)


def change_marker(films: list[CaseFilm], blinding: BlindingState) -> str:
    """Changes when something on the page beyond the progress lines would: an answer came, or a film can be seen."""
    open_films = len(_unfinished(films, blinding))
    return f"{open_films}-{sum(bool(film.image.canonical_file) for film in films)}"


def case_context(study: Study, wanted: UUID | None = None, *, user: User, **extra: Any) -> dict[str, Any]:
    """Everything that ``analyses/case_page/case.html`` needs, and nothing that this user must not see yet.

    Args:
        wanted: the analysis whose film is shown large; the most suspicious one without it.
        extra: replaces entries, e.g. a bound form with its errors.
    """
    blinding = blinding_state_of(study, user)
    films = films_of(study, blinding)
    film = next((film for film in films if wanted in (film.analysis.pk, film.image.pk)), films[0] if films else None)
    kept = Review.objects.filter(study=study).select_related("reader").prefetch_related("addenda__author").first()
    review = shown_review(kept, blinding, user)
    unfinished = _unfinished(films, blinding)
    open_films = [] if blinding.blind else unfinished
    warnings = [(film, warning) for film in films for warning in film.analysis.open_warnings]
    signed = bool(review and review.is_signed)
    context = {
        "study": case_without_answer(study) if blinding.blind else study,
        "patient": study.patient,
        "films": films,
        "film": film,
        "analysis": film.analysis if film else None,
        "open_films": open_films,
        "polling": bool(unfinished),
        "change_marker": change_marker(films, blinding),
        "review": review,
        **reading_context(study, review, _initial(review, blinding, user) | _replaced_version(kept)),
        "addendum_form": AddendumForm(),
        "agreeing": "" if blinding.blind else agreeing_reading(snapshots.answered_outcome(study, user)),
        "warnings": [_warning(film, warning) for film, warning in warnings],
        "notes": sorted({wording.NOTES[code] for film in films for code in _note_codes(film.analysis)}),
        "reports": [] if blinding.blind else list(Report.objects.filter(study=study).select_related("issued_by")),
        "report_blocker": blinding.report_blocker or _report_blocker(films, open_films, bool(warnings), signed),
        "trail": _trail(study, blinding),
        **unaided_context(study, blinding, film),
        **progress(None if blinding.blind else film),
    }
    return context | extra


def _replaced_version(kept: Review | None) -> dict[str, int]:
    """The version that the form replaces, also where the draft itself is not shown."""
    return {"version": kept.version} if kept is not None and not kept.is_signed else {}


def shown_review(review: Review | None, blinding: BlindingState, user: User) -> Review | None:
    """The final reading; to whoever is blind a colleague's draft would say what the model answered."""
    if review is None or not blinding.blind:
        return review
    if review.reader_id != user.pk or not blinding.hidden_by_allocation:
        return None
    review.agrees_with_model, review.model_outcome = None, ""
    review.disagreement_reason = review.disagreement_text = ""
    return review


def _unfinished(films: list[CaseFilm], blinding: BlindingState) -> list[CaseFilm]:
    """The films that the page waits for: their answers; for whoever is blind, only that they can be seen."""
    unfinished = [film for film in films if not film.analysis.is_final]
    return [film for film in unfinished if not film.image.canonical_file] if blinding.blind else unfinished


def progress(film: CaseFilm | None) -> dict[str, Any]:
    """The stages of the film's analysis, each done, now or to do, and the place in the queue while it waits."""
    if film is None or film.analysis.is_final:
        return {"steps": [], "place": None}
    analysis = film.analysis
    waiting = analysis.status == Status.QUEUED
    now = STAGES.index(Stage.WAITING if waiting or analysis.stage == Stage.DONE else Stage(analysis.stage))
    steps = [
        {
            "name": stage,
            "state": "done" if index < now else "now" if index == now else "todo",
            "ms": analysis.timings_ms.get(stage) if index < now else None,
        }
        for index, stage in enumerate(STAGES)
    ]
    return {"steps": steps, "place": queue.place_in_queue(analysis) if waiting else None}


def _initial(review: Review | None, blinding: BlindingState, user: User) -> dict[str, Any]:
    """What the reading form begins with: the doctor's own draft, else the unaided reading that was locked."""
    initial, unaided = initial_of_review(review), blinding.unaided
    drafted = review is not None and review.reader_id == user.pk
    if unaided is None or not unaided.is_locked or drafted:
        return initial
    return {"version": initial["version"], "reading": unaided.reading, "likelihood": unaided.likelihood}


def _warning(film: CaseFilm, warning: dict[str, Any]) -> dict[str, Any]:
    field = warning["field"]
    return {
        "analysis": film.analysis,
        "number": film.number,
        "field": field,
        "word": wording.FIELDS.get(field, field.replace("_", " ")),
        "choices": _choices(film, field),
    }


def _choices(film: CaseFilm, field: str) -> list[dict[str, str]]:
    """What was typed, what the file says and what the record holds: each value once, in that order."""
    record = {field: identity.recorded(film.image.study).get(field, "")}
    sources = (
        ("typed", gettext("Typed"), film.image.typed),
        ("file", gettext("File"), film.image.header),
        ("record", gettext("Record"), record),
    )
    found: dict[str, dict[str, str]] = {}
    for choice, word, source in sources:
        value = str(source.get(field, "") or "")
        if value and value not in found:
            said = body_part_words(value) if field == "body_part_examined" else value
            found[value] = {"choice": choice, "word": word, "value": said}
    return list(found.values())


def _note_codes(analysis: Analysis) -> list[str]:
    return [warning["code"] for warning in analysis.warnings if warning.get("code") in wording.NOTES]


def _report_blocker(films: list[CaseFilm], open_films: list[CaseFilm], warnings: bool, signed: bool) -> str:
    """Why there can be no report now, as a sentence; empty when there can."""
    if open_films:
        return gettext("The report is available after every film has been analysed.")
    if warnings:
        return gettext("The report is available after the contradictions above have been resolved.")
    if not signed and not any(film.analysis.status == Status.SUCCEEDED for film in films):
        return gettext("There is no result to report. Sign your reading, or add a readable film.")
    return ""


def _trail(study: Study, blinding: BlindingState) -> list[AuditEvent]:
    left_out = NOT_IN_TRAIL + (REVEALING_ACTIONS if blinding.blind else ())
    events = AuditEvent.objects.filter(case_id=study.pk).exclude(action__in=left_out).select_related("user")
    return list(events[:TRAIL_LENGTH])
