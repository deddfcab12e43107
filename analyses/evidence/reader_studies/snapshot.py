"""The films and the model's answers of a case as a reader study keeps them: what was shown stays what was shown."""

from typing import Any

from django.db.models import Prefetch

from analyses.answers.current import current_analyses, current_by_image
from analyses.models import Analysis, Image, ReaderStudyCase, Study, Task

NO_FILM, BURNED_IN = "no_film", "burned_in"
WARNING = "burned_in_annotation"
# What an answer on the reading page is drawn from.
ANSWER_FIELDS = (
    "modality",
    "status",
    "outcome",
    "reason_code",
    "outside_use",
    "probabilities",
    "malignant_probability",
    "operating_point",
    "withheld_reasons",
    "prediction_set",
    "regions",
    "model_name",
    "model_version",
)


def take(case: Study) -> list[dict[str, Any]]:
    """Every film that can be shown with its current answer, in the order in which they came, never by suspicion."""
    newest = Analysis.objects.of_task(Task.TUMOUR).order_by("-created_at", "id")
    images = case.images.prefetch_related(Prefetch("analyses", queryset=newest)).order_by("created_at", "id")
    films = []
    for image in images:
        current = current_by_image(image.analyses.all()).get(image.pk)
        if image.canonical_file and current is not None:
            answer = {name: getattr(current, name) for name in ANSWER_FIELDS}
            films.append({"image": str(image.pk), "answer": answer})
    return films


def unfit_code(case: Study) -> str:
    """Why a case cannot be read in a reader study: ``no_film``, ``burned_in``; empty where it can."""
    current = current_analyses(case, Task.TUMOUR)
    if not any(analysis.image.canonical_file for analysis in current):
        return NO_FILM
    if any(warning.get("code") == WARNING for analysis in current for warning in analysis.warnings):
        return BURNED_IN
    return ""


def films_of(study_case: ReaderStudyCase) -> list[Image]:
    """The films of the snapshot in its order."""
    found = {str(image.pk): image for image in Image.objects.filter(study_id=study_case.case_id)}
    return [found[film["image"]] for film in study_case.films if film["image"] in found]


def answers_of(study_case: ReaderStudyCase, images: list[Image]) -> list[Analysis]:
    """The kept answers to these films of ``films_of`` as unsaved analyses, for whatever draws an answer."""
    kept = {film["image"]: film["answer"] for film in study_case.films}
    return [Analysis(image=image, **kept[str(image.pk)]) for image in images]
