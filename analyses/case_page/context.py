"""What the case page shows, gathered in one place so that the page, its poll and its error answers agree."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Any
from uuid import UUID

from django.utils.translation import gettext

from accounts.models import AuditEvent
from analyses.answers import wording
from analyses.answers.agreement import agreeing_reading
from analyses.answers.current import ENDED_WITHOUT_ANSWER
from analyses.answers.suspicion import rank
from analyses.blinding import snapshots
from analyses.blinding.case_state import CaseState
from analyses.blinding.rules import case_without_answer, without_answer
from analyses.case_page.corrections import other_patients_film
from analyses.case_page.reading_context import reading_context
from analyses.case_page.unaided_context import unaided_context, withheld_from
from analyses.models import Analysis, Image, Review, Stage, Status, Study
from analyses.pipeline import queue
from analyses.reading import services as reading
from analyses.reading.forms import AddendumForm, initial_of_review
from analyses.record import across, identity
from analyses.record.grouping import PERSON_FIELDS
from analyses.record.names import written_name
from analyses.record.patients import charts_of_same_number
from analyses.stored_words import body_part_words

STAGES = [stage for stage in Stage.values if stage != Stage.DONE]
TRAIL_LENGTH = 200
# How the values of a contradiction are written for people, where not as stored.
WRITTEN: dict[str, Callable[[str], str]] = {"patient_name": written_name, "body_part_examined": body_part_words}
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
    late: bool = False  # answered only after the case was signed
    further: list[Analysis] = dataclass_field(default_factory=list)  # the answers to other tasks, one each

    @property
    def is_final(self) -> bool:
        """Whether nothing more is to come, of any task."""
        return self.analysis.is_final and all(row.is_final for row in self.further)

    @property
    def sort_key(self) -> tuple[int, float, int]:
        """Most suspicious first; films without an answer last."""
        return *rank(self.analysis.outcome, self.analysis.malignant_probability), self.number


def films_of(state: CaseState) -> list[CaseFilm]:
    """The films of a case, the most suspicious first; as they came, and without answers, for whoever is blind."""
    films = []
    unanswered = state.review.unanswered if state.is_signed and state.review is not None else {}
    for number, shown in enumerate(snapshots.answered_analyses(state, state.answered_to), start=1):
        image = shown.image
        image.study = state.study
        analyses = [row for row in state.analyses if row.image_id == image.pk]
        if state.is_blind:
            films.append(CaseFilm(image, without_answer(shown), [], number))
            continue
        place = next((at for at, row in enumerate(analyses) if row.pk == shown.pk), 0)
        came = any(row.status not in ENDED_WITHOUT_ANSWER for row in analyses[:place])
        newer = came or shown.status != analyses[place].status
        late = str(image.pk) in unanswered and shown.status == Status.SUCCEEDED
        further = [row for rows in state.further.values() for row in rows if row.image_id == image.pk]
        films.append(CaseFilm(image, shown, analyses[place + 1 :], number, newer, late, further))
    return films if state.is_blind else sorted(films, key=lambda film: film.sort_key)


def progress_context(state: CaseState, wanted: UUID | None = None) -> dict[str, Any]:
    """The films and how far their analyses are: all that the poll needs while nothing else has changed.

    Args:
        wanted: the image that is shown large, or any analysis of it; the most suspicious one without it.
    """
    films = films_of(state)
    image = next((row.image_id for row in state.analyses if row.pk == wanted), wanted)
    film = next((film for film in films if film.image.pk == image), films[0] if films else None)
    return {
        "study": case_without_answer(state.study) if state.is_blind else state.study,
        "state": state,
        "films": films,
        "film": film,
        "analysis": film.analysis if film else None,
        "change_marker": change_marker(films, state),
        **_steps(None if state.is_blind else film),
    }


def change_marker(films: list[CaseFilm], state: CaseState) -> str:
    """Changes when something on the page beyond the progress lines would: an answer came, or a film can be seen."""
    unfinished = _unfinished(films, state)
    open_films = sum(not row.is_final for film in unfinished for row in (film.analysis, *film.further))
    open_films = len(unfinished) if state.is_blind else open_films
    return f"{open_films}-{sum(bool(film.image.canonical_file) for film in films)}"


def case_context(progress: dict[str, Any], **extra: Any) -> dict[str, Any]:
    """Everything that ``analyses/case_page/case.html`` needs, and nothing that this user must not see yet.

    Args:
        progress: the part of it that ``progress_context`` made.
        extra: replaces entries, e.g. a bound form with its errors.
    """
    state: CaseState = progress["state"]
    study, films, film = state.study, progress["films"], progress["film"]
    review = shown_review(state)
    unfinished = _unfinished(films, state)
    open_films = [] if state.is_blind else unfinished
    waiting = open_films if open_films and reading.waits_for_answers(state) else []
    warnings = [(film, warning) for film in films for warning in film.analysis.open_warnings]
    signed = bool(review and review.is_signed)
    context = progress | {
        "patient": study.patient,
        "open_films": open_films,
        "waiting_films": waiting,
        "polling": bool(unfinished),
        "review": review,
        "addenda": list(review.addenda.select_related("author")) if review and signed else [],
        **reading_context(study, review, _initial(state, review)),
        "addendum_form": AddendumForm(),
        "agreeing": "" if state.is_blind else agreeing_reading(snapshots.answered_outcome(state)),
        "warnings": _warnings(study, films, warnings),
        "notes": [*_chart_notes(study), *_film_notes(films)],
        "reports": [] if state.is_blind else state.reports,
        "report_blocker": withheld_from(state)
        or _report_blocker(films, [] if signed else open_films, bool(warnings), signed),
        "trail": _trail(state),
        **unaided_context(state, film),
    }
    return context | extra


def shown_review(state: CaseState) -> Review | None:
    """The final reading; to whoever is blind a colleague's draft would say what the model answered."""
    if state.review is None or not state.is_blind:
        return state.review
    if state.user is None or state.review.reader_id != state.user.pk or not state.hidden_by_allocation:
        return None
    review = copy.copy(state.review)
    review.agrees_with_model, review.model_outcome = None, ""
    review.disagreement_reason = review.disagreement_text = ""
    return review


def _unfinished(films: list[CaseFilm], state: CaseState) -> list[CaseFilm]:
    """The films that the page waits for: their answers; for whoever is blind, only that they can be seen."""
    unfinished = [film for film in films if not film.is_final]
    return [film for film in unfinished if not film.image.canonical_file] if state.is_blind else unfinished


def _steps(film: CaseFilm | None) -> dict[str, Any]:
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


def _initial(state: CaseState, review: Review | None) -> dict[str, Any]:
    """What the reading form begins with: the doctor's own draft, else the unaided reading that was locked.

    It names the version of the draft that it replaces, also where that draft itself is not shown.
    """
    initial, kept, unaided = initial_of_review(review), state.review, state.unaided
    drafted = review is not None and state.user is not None and review.reader_id == state.user.pk
    if unaided is not None and unaided.is_locked and not drafted:
        initial = {"version": initial["version"], "reading": unaided.reading, "likelihood": unaided.likelihood}
    return initial if kept is None or kept.is_signed else initial | {"version": kept.version}


def _warnings(
    study: Study, films: list[CaseFilm], warnings: list[tuple[CaseFilm, dict[str, Any]]]
) -> list[dict[str, Any]]:
    """What is to be decided; the other cases that it is about are looked up only where there are any."""
    asked = {case for _film, warning in warnings if across.is_across(warning) for case in warning["cases"]}
    rows = Study.objects.filter(pk__in=asked, department_id=study.department_id).select_related("patient")
    others = {str(row.pk): row for row in rows} if asked else {}
    rows_of = [film.analysis for film in films]
    return [
        _question(film, warning, others) if across.is_across(warning) else _warning(film, warning, rows_of)
        for film, warning in warnings
    ]


def _question(film: CaseFilm, warning: dict[str, Any], others: dict[str, Study]) -> dict[str, Any]:
    """A question about another case: who else is named there, and that this case may be confirmed."""
    field = warning["field"]
    stands = gettext("The reading still stands") if field == across.FILM_MOVED else gettext("This case is right")
    return {
        "analysis": film.analysis,
        "number": film.number,
        "field": field,
        "sentence": wording.ACROSS[field],
        "others": [others[case] for case in warning["cases"] if case in others],
        "choices": [{"choice": "record", "word": stands, "value": ""}],
        "may_move": field in (across.SAME_FILM, across.SAME_STUDY),
    }


def _warning(film: CaseFilm, warning: dict[str, Any], analyses: list[Analysis]) -> dict[str, Any]:
    field = warning["field"]
    choices = _choices(film, field)
    if field == "patient_id":
        choices = [one for one in choices if one["choice"] == "record" or not _takes_along(film, one, analyses)]
    return {
        "analysis": film.analysis,
        "number": film.number,
        "field": field,
        "word": wording.FIELDS.get(field, field.replace("_", " ")),
        "choices": choices,
        "may_move": field in PERSON_FIELDS,
    }


def _takes_along(film: CaseFilm, option: dict[str, str], analyses: list[Analysis]) -> bool:
    """Whether choosing a record number would make films another patient's whose files name somebody else."""
    now = identity.recorded(film.image.study)["patient_id"] if film.image.study.patient else ""
    return option["value"] != now and other_patients_film(analyses, film.analysis, option["value"])


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
            found[value] = {"choice": choice, "word": word, "value": WRITTEN.get(field, str)(value)}
    return list(found.values())


def _film_notes(films: list[CaseFilm]) -> list[str]:
    codes = {warning.get("code") for film in films for warning in film.analysis.warnings}
    return sorted(str(wording.NOTES[code]) for code in codes if code in wording.NOTES)


def _chart_notes(study: Study) -> list[str]:
    """That the patient may have a second chart, which older versions made of another spelling of the number."""
    others = charts_of_same_number(study.patient) if study.patient else []
    if not others:
        return []
    said = gettext(
        "The department has another patient record with the same number in a different spelling: %(numbers)s."
        " Check both. If they are one patient, move the cases to one of them with Reassign."
    )
    return [said % {"numbers": ", ".join(other.patient_id for other in others)}]


def _report_blocker(films: list[CaseFilm], open_films: list[CaseFilm], warnings: bool, signed: bool) -> str:
    """Why there can be no report now, as a sentence; empty when there can."""
    if open_films:
        return gettext("The report is available after every film has been analysed.")
    if warnings:
        return gettext("The report is available after the contradictions above have been resolved.")
    if not signed and not any(film.analysis.status == Status.SUCCEEDED for film in films):
        return gettext("There is no result to report. Sign your reading, or add a readable film.")
    return ""


def _trail(state: CaseState) -> list[AuditEvent]:
    left_out = NOT_IN_TRAIL + (REVEALING_ACTIONS if state.is_blind else ())
    events = AuditEvent.objects.filter(case_id=state.study.pk).exclude(action__in=left_out).select_related("user")
    return list(events[:TRAIL_LENGTH])
