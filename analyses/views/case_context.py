"""What the case page shows, gathered in one place so that the page, its poll and its error answers agree."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Prefetch

from accounts.models import AuditEvent
from analyses.models import Analysis, Image, Report, Review, Stage, Status, Study
from analyses.reading_forms import AddendumForm, initial_of_review
from analyses.services import identity, queue
from analyses.suspicion import rank
from analyses.views import wording
from analyses.views.reading_context import reading_context

STAGES = [stage for stage in Stage.values if stage != Stage.DONE]
TRAIL_LENGTH = 200
# Every look at the page fetches the film; the trail already has the look.
NOT_IN_TRAIL = ("download_image",)


@dataclass(frozen=True)
class Film:
    """One film with its current analysis and the earlier ones."""

    image: Image
    analysis: Analysis
    earlier: list[Analysis]
    number: int  # in the order in which the films came, from 1

    @property
    def sort_key(self) -> tuple[int, float, int]:
        """Most suspicious first; films without an answer last."""
        return *rank(self.analysis.outcome, self.analysis.malignant_probability), self.number


def films_of(study: Study) -> list[Film]:
    """The films of a case, the most suspicious first."""
    newest = Analysis.objects.order_by("-created_at", "id")
    images = (
        study.images.select_related("study__patient")
        .prefetch_related(Prefetch("analyses", queryset=newest))
        .order_by("created_at", "id")
    )
    films = []
    for number, image in enumerate(images, start=1):
        analyses = list(image.analyses.all())
        if analyses:
            films.append(Film(image, analyses[0], analyses[1:], number))
    return sorted(films, key=lambda film: film.sort_key)


def signature(films: list[Film]) -> str:
    """Changes when something on the page beyond the progress lines would: an answer came, or a film can be seen."""
    open_films = sum(not film.analysis.is_final for film in films)
    return f"{open_films}-{sum(bool(film.image.canonical_file) for film in films)}"


def case_context(study: Study, wanted: UUID | None = None, **extra: Any) -> dict[str, Any]:
    """Everything that ``analyses/case.html`` needs.

    Args:
        wanted: the analysis whose film is shown large; the most suspicious one without it.
        extra: replaces entries, e.g. a bound form with its errors.
    """
    films = films_of(study)
    film = next((film for film in films if wanted in (film.analysis.pk, film.image.pk)), films[0] if films else None)
    review = Review.objects.filter(study=study).select_related("reader").prefetch_related("addenda__author").first()
    open_films = [film for film in films if not film.analysis.is_final]
    warnings = [(film, warning) for film in films for warning in film.analysis.open_warnings]
    context = {
        "study": study,
        "patient": study.patient,
        "films": films,
        "film": film,
        "analysis": film.analysis if film else None,
        "open_films": open_films,
        "signature": signature(films),
        "review": review,
        **reading_context(study, review, initial_of_review(review)),
        "addendum_form": AddendumForm(),
        "agreeing": wording.agreeing_reading(study),
        "warnings": [_warning(film, warning) for film, warning in warnings],
        "notes": sorted({wording.NOTES[code] for film in films for code in _note_codes(film.analysis)}),
        "reports": list(Report.objects.filter(study=study).select_related("issued_by")),
        "report_blocker": _report_blocker(films, open_films, bool(warnings), bool(review and review.is_signed)),
        "trail": _trail(study),
        **progress(film),
    }
    return context | extra


def progress(film: Film | None) -> dict[str, Any]:
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


def _warning(film: Film, warning: dict[str, Any]) -> dict[str, Any]:
    field = warning["field"]
    return {
        "analysis": film.analysis,
        "number": film.number,
        "field": field,
        "word": wording.FIELDS.get(field, field.replace("_", " ")),
        "choices": _choices(film, field),
    }


def _choices(film: Film, field: str) -> list[dict[str, str]]:
    """What was typed, what the file says and what the record holds: each value once, in that order."""
    record = {field: identity.recorded(film.image.study).get(field, "")}
    sources = (("typed", "Typed", film.image.typed), ("file", "File", film.image.header), ("record", "Record", record))
    found: dict[str, dict[str, str]] = {}
    for choice, word, source in sources:
        value = str(source.get(field, "") or "")
        if value and value not in found:
            found[value] = {"choice": choice, "word": word, "value": value}
    return list(found.values())


def _note_codes(analysis: Analysis) -> list[str]:
    return [warning["code"] for warning in analysis.warnings if warning.get("code") in wording.NOTES]


def _report_blocker(films: list[Film], open_films: list[Film], warnings: bool, signed: bool) -> str:
    """Why there can be no report now, as a sentence; empty when there can."""
    if open_films:
        return "The report waits until every film has its answer."
    if warnings:
        return "The report waits until the contradictions above are decided."
    if not signed and not any(film.analysis.status == Status.SUCCEEDED for film in films):
        return "There is no result to report. Sign your reading, or add a film that can be read."
    return ""


def _trail(study: Study) -> list[AuditEvent]:
    events = AuditEvent.objects.filter(case_id=study.pk).exclude(action__in=NOT_IN_TRAIL).select_related("user")
    return list(events[:TRAIL_LENGTH])
