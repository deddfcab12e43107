"""The report of a case as a PDF: gathers what it shows, in its words, and has it drawn."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.formats import date_format
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.services import portal_settings
from analyses.answers import measurement, tasks, wording
from analyses.answers.lesions import Lesion, lesions_of, no_mm_because, ranking_of
from analyses.answers.remarks import NOT_IN_REPORTS
from analyses.answers.suspicion import rank
from analyses.models import Analysis, Annotation, Report, ReportKind, Review, SecondReading, Stage, Status, Study
from analyses.record.names import written_name
from analyses.reports import images, printing
from analyses.stored_words import fault_words
from analyses.structured_reading import services as structured_reading
from analyses.structured_reading import signature
from analyses.structured_reading import text as structure_text

UNFINISHED = gettext_lazy("The model had not answered when this was read or reported.")
CANCELLED = gettext_lazy("The analysis was cancelled; the model was not run.")
CONFIRMED = {
    "typed": gettext_lazy("a doctor confirmed the entry"),
    "file": gettext_lazy("a doctor confirmed the value in the file"),
    "record": gettext_lazy("a doctor confirmed the value in the record"),
    "edited": gettext_lazy("a doctor entered the correct value"),
}
SUBTYPES_SHOWN = 5
# A longer impression stands under the two boxes, where it may run over the page.
IMPRESSION_BESIDE = 420


@dataclass(frozen=True)
class ReportedFilm:
    """One film on paper, with the model's answer to it."""

    number: int
    analysis: Analysis
    tag: str
    word: str
    line: str
    notes: list[str]
    reasons: list[str]  # why the answer is withheld
    pictures: images.Pictures
    scale: str
    lesions: list[Lesion]

    @property
    def sort_key(self) -> tuple[int, float, int]:
        """Most suspicious first; films without an answer last."""
        return *rank(self.analysis.outcome, self.analysis.malignant_probability), self.number

    @property
    def name(self) -> str:
        """The film in words, for captions and alternative texts."""
        view = self.analysis.image.view_position
        film = _("Film %(number)s") % {"number": self.number}
        return f"{film}, {view}" if view else film

    @property
    def number_of_pictures(self) -> int:
        """How many stand side by side."""
        return sum(bool(uri) for uri in (self.pictures.film, self.pictures.outline, self.pictures.saliency))

    @property
    def sizes(self) -> str:
        """Longest diameter and area of each outlined region, with the reason where there are no mm."""
        several = len(self.lesions) > 1
        parts = [f"{lesion.number}: {lesion.size_words}" if several else lesion.size_words for lesion in self.lesions]
        why = no_mm_because(self.analysis.image)
        because = _(" (no size in mm: %(why)s)") % {"why": why} if why else ""
        return str(capfirst(f"{'; '.join(parts)}{because}."))

    @property
    def probability(self) -> float | None:
        """The probability of what was looked for; None where the model gave no answer."""
        return wording.shown_value(self.analysis) if judged(self.analysis) else None

    @property
    def ranking(self) -> list[tuple[str, float]]:
        """The first subtypes; empty unless a tumour is called."""
        return ranking_of(self.analysis)[:SUBTYPES_SHOWN]

    @property
    def scale_text(self) -> str:
        """What the drawn scale shows, for people who hear it."""
        analysis, point = self.analysis, self.analysis.operating_point or {}
        text = _("Scale from 0 to 1: probability of malignancy %(value)s") % {
            "value": wording.probability(analysis.malignant_probability)
        }
        if "malignant" not in point:
            return text
        words = {"name": wording.point_name(point), "value": wording.probability(point["malignant"])}
        return text + _(", %(name)s operating point %(value)s") % words


def render(
    report: Report, review: Review | None, analyses: list[Analysis], further: Mapping[str, list[Analysis]] | None = None
) -> bytes:
    """Draw the PDF of a report that is about to be issued, in the language of its department.

    Args:
        report: unsaved; its study with patient and department, its kind, code and time are printed.
        review: the reading; printed only when signed.
        analyses: the current analysis of each film, with its image.
        further: the current analyses of other tasks, by task.

    Raises:
        Conflict: ``letters_missing``.
    """
    with translation.override(report.study.department.language):
        html = render_to_string("analyses/reports/report.html", report_context(report, review, analyses, further))
    return printing.draw(html, identifier=report.pk.bytes)


def report_context(
    report: Report, review: Review | None, analyses: list[Analysis], further: Mapping[str, list[Analysis]] | None = None
) -> dict[str, Any]:
    """Everything that ``analyses/reports/report.html`` prints."""
    study = report.study
    films = sorted((_film(number, row) for number, row in enumerate(analyses, start=1)), key=lambda film: film.sort_key)
    signed = review if review is not None and review.is_signed else None
    return {
        "report": report,
        "title": _("%(kind)s radiograph report %(code)s")
        % {"kind": report.get_kind_display(), "code": report.verification_code},
        "language": study.department.language,
        "not_stated": _("not stated"),
        "advice": structure_text.recommendation_of(signed, study.department.language),
        "confirmed": _confirmed(study, signed),
        "earlier": list(Report.objects.filter(study=study, issued_at__lt=report.issued_at).order_by("issued_at")),
        "study": study,
        "patient": study.patient,
        "facts": facts(study),
        "head": running_head(study, banner=report.kind == ReportKind.PRELIMINARY),
        "review": signed,
        "impression_beside": signed is not None and len(signed.impression) <= IMPRESSION_BESIDE,
        "addenda": list(signed.addenda.select_related("author")) if signed else [],
        "second_readings": _second_readings(study) if signed else [],
        "corrected": signed is not None and not signature.covers(study, signed, analyses),
        "draft": review is not None and signed is None,
        "preliminary": report.kind == ReportKind.PRELIMINARY,
        "films": films,
        "measurements": measurements(analyses),
        "lead": films[0] if films else None,
        "further": _further(analyses, further or {}),
        "models": _models([*analyses, *(row for rows in (further or {}).values() for row in rows)]),
        "portal": portal_settings(),
        "issued_at": timezone.localtime(report.issued_at),
        "verify_url": settings.PUBLIC_URL + reverse("analyses:verify"),
        "stages": [stage for stage in Stage.values if any(stage in row.timings_ms for row in analyses)],
    }


def _further(analyses: list[Analysis], further: Mapping[str, list[Analysis]]) -> list[tuple[str, list[ReportedFilm]]]:
    """The answers to each other task, the most suspicious first, under the numbers of the films; without pictures."""
    number = {row.image_id: place for place, row in enumerate(analyses, start=1)}
    found = []
    for task, rows in further.items():
        known = sorted((row for row in rows if row.image_id in number), key=tasks.suspicion)
        found.append((task, [_film(number[row.image_id], row, pictured=False) for row in known]))
    return found


def _film(number: int, analysis: Analysis, *, pictured: bool = True) -> ReportedFilm:
    tag, word = wording.tag_and_word(analysis)
    lesions = lesions_of(analysis)
    return ReportedFilm(
        number=number,
        analysis=analysis,
        tag=tag,
        word=word,
        line=answer_line(analysis),
        notes=_notes(analysis),
        reasons=wording.withheld_reasons(analysis),
        pictures=images.pictures_of(analysis, lesions) if pictured else images.Pictures(),
        scale=images.scale(analysis) if pictured and judged(analysis) else "",
        lesions=lesions,
    )


def measurements(analyses: list[Analysis]) -> list[dict[str, Any]]:
    """What doctors measured on these films: film, figures, why there are no mm, label, author and time."""
    places = {
        row.image_id: (_("Film %(number)s") % {"number": number}, row.image)
        for number, row in enumerate(analyses, start=1)
    }
    found = []
    for one in Annotation.objects.reported([row.image for row in analyses]):
        film, image = places[one.image_id]
        why = no_mm_because(image) if "angle_deg" not in one.values else ""
        found.append({"film": film, "one": one, "figures": measurement.words(one), "no_mm": why})
    return found


def answer_line(analysis: Analysis) -> str:
    """What the model's answer to a film, or its absence, means: one or two sentences."""
    if analysis.status == Status.FAILED:
        return _("%(why)s (code %(code)s)") % {"why": fault_words(analysis.error_message), "code": analysis.error_code}
    if analysis.status == Status.CANCELLED:
        return str(CANCELLED)
    if analysis.status != Status.SUCCEEDED:
        return str(UNFINISHED)
    against_point = wording.operating_point_sentence(analysis) if judged(analysis) else ""
    return f"{against_point} {wording.meaning(analysis)}".strip()


def judged(analysis: Analysis) -> bool:
    """Whether the model gave an answer whose probabilities may be shown; one that it withheld has none."""
    return analysis.status == Status.SUCCEEDED and tasks.is_answer(analysis.outcome)


def _notes(analysis: Analysis) -> list[str]:
    """What a doctor decided where the file contradicted what was typed, and what the file warns of."""
    lines = []
    for warning in analysis.warnings:
        field, chosen = warning.get("field"), warning.get("confirmed")
        if field in wording.ACROSS and chosen:
            decided = _("A doctor confirmed this case.")
            lines.append(f"{wording.ACROSS[field]} {decided}")
        elif field and chosen:
            word = wording.FIELDS.get(field, field.replace("_", " "))
            kept = CONFIRMED.get(chosen, CONFIRMED["edited"])
            said = _("the sources contradicted each other; %(kept)s.") % {"kept": kept}
            lines.append(f"{capfirst(str(word))}: {said}")
        elif warning.get("code") in wording.NOTES and warning["code"] not in NOT_IN_REPORTS:
            lines.append(str(wording.NOTES[warning["code"]]))
    return lines


def running_head(study: Study, *, banner: bool = False) -> dict[str, Any]:
    """What stands at the top of every page: ``left``, ``right``, and the page's margin that leaves room for both."""
    patient = study.patient
    left = f"{portal_settings().institution_name}, {study.department.name}"
    if patient is None:
        right = _("Unassigned: no patient")
    else:
        name, record = written_name(patient.patient_name) or _("Name not stated"), _("record")
        right = f"{name}, {record} {patient.patient_id}"
    if study.accession_number:
        accession = _("accession")
        right = f"{right}, {accession} {study.accession_number}"
    return {"left": left, "right": right, "margin_mm": printing.head_mm(left, right, banner=banner)}


def facts(study: Study) -> list[tuple[str, str]]:
    """Patient and examination, label and value; what nobody stated is said to be so."""
    patient = study.patient
    stated = [
        (_("Name"), written_name(patient.patient_name) if patient else ""),
        (_("Record number"), patient.patient_id if patient else _("unassigned")),
        (_("Born"), _day(patient.patient_birth_date) if patient else ""),
        (_("Sex"), patient.get_patient_sex_display() if patient else ""),
        (_("Examination"), study.examined),
        (_("Accession number"), study.accession_number),
        (_("Examined on"), _day(study.study_date)),
        (_("Referred by"), written_name(study.referring_physician_name)),
    ]
    return [(label, value or _("not stated")) for label, value in stated]


def _confirmed(study: Study, review: Review | None) -> list[str]:
    """The sentences of the contradictions that the reader confirmed with the signature."""
    if review is None or not review.confirmed:
        return []
    said = structured_reading.contradictions_of(study, review)
    return [one.text for one in said if one.code in review.confirmed]


def _second_readings(study: Study) -> list[SecondReading]:
    """What colleagues answered."""
    return list(study.second_readings.filter(answered_at__isnull=False).select_related("reader"))


def _day(day: Any) -> str:
    return "" if day is None else date_format(day, "SHORT_DATE_FORMAT")


def _models(analyses: list[Analysis]) -> list[Analysis]:
    """One analysis for each model that answered, for the line that names it with its full hash."""
    seen: dict[tuple[str, Any], Analysis] = {}
    for analysis in analyses:
        if analysis.model_sha256:
            point = analysis.operating_point or {}
            seen.setdefault((analysis.model_sha256, str(sorted(point.items()))), analysis)
    return list(seen.values())
