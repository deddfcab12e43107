"""A department's films put before a model: from uploaded files with their labels, or from cases with outcomes.

Nothing of it is a clinical case: no worklist, search or report knows these films. An uploaded film is deleted as soon
as the model has judged it; a run that is never started is cancelled after ``KEPT`` and its films with it.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.core.files.base import File
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import audit
from accounts.models import Department, User
from accounts.permissions import Action, require
from analyses.errors import Conflict, Invalid, invalid_field
from analyses.models import (
    AcceptanceFilm,
    AcceptanceRun,
    AcceptanceStatus,
    CaseOutcome,
    FilmsFrom,
    Image,
    Task,
)
from analyses.pipeline import queue
from analyses.record import storage
from analyses.registry import services as registry
from analyses.registry.uses import IntendedUse, group_of
from analyses.stored_words import fault_words
from inference.acceptance.labels import MAX_ROWS, LabelledFile, name_key, read_labels, require_enough
from inference.acceptance.rule import AcceptanceRule, rule_of
from inference.card import operating_points
from inference.errors import InferenceError

log = structlog.get_logger(__name__)
TASK = "analyses.tasks.run_acceptance"
FOLDER = "acceptance"
KEPT = timedelta(days=7)
ENDED = (AcceptanceStatus.SUCCEEDED, AcceptanceStatus.FAILED, AcceptanceStatus.CANCELLED)


@dataclass(frozen=True)
class Added:
    """What became of uploaded files: stored, without a row in the label file, empty or too large, seen before."""

    stored: int
    unknown: int
    refused: int
    doubled: int


@dataclass(frozen=True)
class _Model:
    """The installed model that is tried, with its rule and the operating point of the department."""

    key: str
    sha256: str
    operating_point: str
    rule: AcceptanceRule


def set_up_from_files(
    department: Department, use: IntendedUse, model: str, *, labels: bytes, by: User
) -> AcceptanceRun:
    """Begin a run whose films are uploaded next; the label file says which.

    Raises:
        Invalid: ``bad_labels``, ``one_class``, ``too_few_films``; and as ``registry.require_fit``.
        Conflict: ``no_acceptance_rule``; and as ``registry.require_fit``.
    """
    require(by, Action.ACCEPT_MODELS)
    found = _model(model, use, department)
    try:
        rows = read_labels(labels)
        require_enough((row.label for row in rows), found.rule)
    except InferenceError as error:
        raise _refusal(error, "labels") from error
    with transaction.atomic():
        run = _make(department, use, found, FilmsFrom.FILES, by)
        AcceptanceFilm.objects.bulk_create(_film_of_file(run, row) for row in rows)
        record("set_up_acceptance", run, by, films=len(rows))
    return run


def set_up_from_cases(department: Department, use: IntendedUse, model: str, *, by: User) -> AcceptanceRun:
    """Begin a run on the films of the department's signed cases whose outcome is known, and start it.

    Raises:
        Invalid: ``one_class``, ``too_few_films``; and as ``set_up_from_files``.
    """
    require(by, Action.ACCEPT_MODELS)
    found = _model(model, use, department)
    rows = _films_of_cases(department, use)
    try:
        require_enough((label for _image, label, _patient in rows), found.rule)
    except InferenceError as error:
        raise _refusal(error, "films_from") from error
    with transaction.atomic():
        run = _make(department, use, found, FilmsFrom.CASES, by)
        AcceptanceFilm.objects.bulk_create(
            AcceptanceFilm(run=run, number=number, label=label, patient=patient, image_id=image)
            for number, (image, label, patient) in enumerate(rows, start=1)
        )
        record("set_up_acceptance", run, by, films=len(rows))
        _queue(run)
    return run


def _model(key: str, use: IntendedUse, department: Department) -> _Model:
    card = registry.require_fit(key, use).card or {}
    if use.task != Task.TUMOUR:
        why = _("Site acceptance counts tumours: this model is of another task.")
        raise Conflict("other_task", why, fields={"model": [why]})
    try:
        rule = rule_of(card)
    except InferenceError as error:
        why = fault_words(error.message)
        raise Conflict("no_acceptance_rule", why, fields={"model": [why]}) from error
    points = operating_points(card)
    point = department.operating_point if department.operating_point in points else "balanced"
    return _Model(key, card["weights"]["sha256"], point, rule)


def _make(department: Department, use: IntendedUse, model: _Model, films_from: FilmsFrom, by: User) -> AcceptanceRun:
    return AcceptanceRun.objects.create(
        department=department,
        modality=use.modality,
        task=use.task,
        model_key=model.key,
        model_sha256=model.sha256,
        operating_point=model.operating_point,
        films_from=films_from,
        requested_by=by,
    )


def _film_of_file(run: AcceptanceRun, row: LabelledFile) -> AcceptanceFilm:
    return AcceptanceFilm(
        run=run, number=row.line, label=row.label, patient=row.patient, name_sha256=_digest(run, row.name)
    )


def _digest(run: AcceptanceRun, name: str) -> str:
    """What a file is found by; names of files may name patients, and are not kept."""
    return hashlib.sha256(f"{run.pk} {name}".encode()).hexdigest()


def _films_of_cases(department: Department, use: IntendedUse) -> list[tuple[UUID, str, int]]:
    """Image, truth and patient's number of every stored film of a case with an outcome, the newest cases first."""
    outcomes = CaseOutcome.objects.filter(is_current=True, study__department=department)
    cases = outcomes.values_list("study_id", "truth", "study__patient_id", "study__modality")
    truths = {
        study: (truth, patient or study) for study, truth, patient, said in cases if group_of(said) == use.modality
    }
    images = Image.objects.filter(study__in=truths).exclude(canonical_file="")
    patients: dict[Any, int] = {}
    rows = []
    for image, study in images.order_by("-created_at", "pk").values_list("pk", "study_id")[:MAX_ROWS]:
        truth, patient = truths[study]
        rows.append((image, truth, patients.setdefault(patient, len(patients))))
    return rows


def add_films(run: AcceptanceRun, uploads: Iterable[File], *, by: User) -> Added:
    """Store the files that the label file names; one that comes again replaces the earlier one.

    Raises:
        Conflict: ``not_collecting``: the run was started, or ended.
        StorageFull, ServiceError: as ``storage.store_original``; what was stored before stays.
    """
    require(by, Action.ACCEPT_MODELS)
    _require_collecting(run)
    counts = {"stored": 0, "unknown": 0, "refused": 0, "doubled": 0}
    for upload in uploads:
        counts[_add_film(run, upload)] += 1
    record("add_acceptance_films", run, by, **counts)
    return Added(**counts)


def _add_film(run: AcceptanceRun, upload: File) -> str:
    digest = _digest(run, name_key(upload.name or ""))
    if not upload.size or upload.size > settings.MAX_UPLOAD_BYTES:
        return "refused"
    if not AcceptanceFilm.objects.filter(run=run, name_sha256=digest).exists():
        return "unknown"
    stored = storage.store_original(upload, FOLDER)
    earlier = ""
    try:
        with transaction.atomic():
            _require_collecting(AcceptanceRun.objects.select_for_update().get(pk=run.pk))
            film = AcceptanceFilm.objects.get(run=run, name_sha256=digest)
            if AcceptanceFilm.objects.filter(run=run, file_sha256=stored.sha256).exclude(pk=film.pk).exists():
                earlier, outcome = stored.name, "doubled"
            else:
                earlier, outcome = film.file, "stored"
                film.file, film.file_sha256 = stored.name, stored.sha256
                film.save(update_fields=["file", "file_sha256"])
    except BaseException:
        storage.discard(stored.name)
        raise
    storage.discard(earlier)
    return outcome


def start(run: AcceptanceRun, *, by: User) -> None:
    """Hand a run with all its films to the worker.

    Raises:
        Conflict: ``not_collecting``; ``films_missing``, with the count.
    """
    require(by, Action.ACCEPT_MODELS)
    with transaction.atomic():
        locked = AcceptanceRun.objects.select_for_update().get(pk=run.pk)
        _require_collecting(locked)
        lacking, films = locked.films.filter(file="").count(), locked.films.count()
        if lacking:
            message = _("%(lacking)s of %(films)s rows of the label file have no film yet. Upload the missing films.")
            raise Conflict("films_missing", message % {"lacking": lacking, "films": films})
        record("start_acceptance", locked, by, films=films)
        _queue(locked)


def cancel(run: AcceptanceRun, *, by: User) -> None:
    """End a run that is not over and delete its films; a second call changes nothing."""
    require(by, Action.ACCEPT_MODELS)
    if end(run, AcceptanceStatus.CANCELLED):
        record("cancel_acceptance", run, by)


def forget_abandoned() -> int:
    """Cancel runs that were never started, and return how many; the sweeper calls it."""
    old = AcceptanceRun.objects.filter(status=AcceptanceStatus.COLLECTING, created_at__lt=timezone.now() - KEPT)
    return sum(end(run, AcceptanceStatus.CANCELLED) for run in old[:50])


def end(run: AcceptanceRun, status: str, **values: Any) -> bool:
    """Bring a run to its end and delete its films; False where it is over already."""
    open_ones = AcceptanceRun.objects.filter(pk=run.pk).exclude(status__in=ENDED)
    ended = open_ones.update(status=status, finished_at=timezone.now(), **values)
    discard_films(run)
    return bool(ended)


def discard_films(run: AcceptanceRun) -> None:
    """Delete the uploaded films of a run."""
    left = AcceptanceFilm.objects.filter(run=run).exclude(file="")
    names: Sequence[str] = list(left.values_list("file", flat=True))
    left.update(file="")
    storage.discard(*names)


def _require_collecting(run: AcceptanceRun) -> None:
    if run.status != AcceptanceStatus.COLLECTING:
        raise Conflict("not_collecting", _("This acceptance no longer takes films. Set up another one."))


def _queue(run: AcceptanceRun) -> None:
    AcceptanceRun.objects.filter(pk=run.pk).update(status=AcceptanceStatus.QUEUED, woken_at=timezone.now())
    transaction.on_commit(lambda: wake(run.pk))


def wake(run_id: UUID) -> bool:
    """Send the message that lets a worker go on; False where the broker is away, and the sweeper sends it again."""
    try:
        queue.send(TASK, str(run_id))
    except Exception as error:
        # Whatever a broker library raises: the row is queued, and that is what counts.
        log.warning("acceptance_not_woken", run_id=str(run_id), error=type(error).__name__)
        return False
    return True


def _refusal(error: InferenceError, field: str) -> Invalid:
    message = fault_words(error.message)
    refused = invalid_field(field, message)
    refused.code = error.code
    return refused


def record(action: str, run: AcceptanceRun, by: User | None, **detail: Any) -> None:
    """Add a line about a run to the audit log: codes and counts only."""
    about = {"modality": run.modality, "task": run.task, "model": run.model_key}
    audit.record(action, user=by, obj=run, department=run.department, detail=about | detail)
