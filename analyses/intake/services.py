"""Images in: check, store unaltered, put into the right case, queue. Pages and API share every rule here."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.files.base import File
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import audit
from accounts.models import ApiToken, Department, User
from analyses.answers.across import check_across
from analyses.answers.current import current_by_image
from analyses.errors import Invalid, ServiceError, Unprocessable
from analyses.intake import headers
from analyses.intake.headers import FileHeader
from analyses.intake.joining import Wanted, case_to_join
from analyses.models import Analysis, IdempotencyKey, Image, Status, Study, Task
from analyses.pipeline import queue
from analyses.record import cases, storage
from analyses.record.fields import CASE_FIELDS, CaseFields, cleaned
from analyses.record.identity import contradictions, recorded
from analyses.record.names import name_words
from analyses.record.patients import complete_case, find_or_make, lock_department, value_of, with_number
from analyses.record.storage import StoredFile
from inference.imaging.limits import Limits

FORMATS = ("JPEG", "PNG", "TIFF", "WebP", "BMP", "DICOM (one frame)")
LIMITS: dict[str, Any] = {
    "formats": list(FORMATS),
    "max_bytes": settings.MAX_UPLOAD_BYTES,
    "max_pixels": Limits.from_env().max_pixels,
}

__all__ = ["FORMATS", "LIMITS", "CaseFields", "Submission", "submit_image"]


@dataclass(frozen=True)
class Submission:
    """The analysis that answers a posted image, and whether it was made for it."""

    analysis: Analysis
    created: bool


@dataclass(frozen=True)
class _Post:
    """One posted image with all that was said about it."""

    user: User
    token: ApiToken | None
    file: StoredFile
    fields: CaseFields
    case_key: UUID | None
    study: Study | None
    again: bool
    idempotency_key: str
    header: FileHeader
    together: bool

    @cached_property
    def may_be_elsewhere(self) -> bool:
        """Whether anybody has sent these bytes before; nearly always nobody has, and this is asked first."""
        return Image.objects.filter(original_sha256=self.file.sha256).exists()

    @property
    def department_id(self) -> UUID:
        """The poster's department; ``submit_image`` has refused posters without one."""
        assert self.user.department_id is not None
        return self.user.department_id

    @property
    def said(self) -> dict[str, str]:
        return self.fields.said()

    @property
    def body_sha256(self) -> str:
        """Fingerprint of everything that makes two posts the same."""
        case = str(self.case_key or ""), str(self.study.pk if self.study else "")
        body = json.dumps([self.file.sha256, self.said, *case, self.again], sort_keys=True)
        return hashlib.sha256(body.encode()).hexdigest()


def submit_image(
    *,
    user: User,
    token: ApiToken | None,
    upload: File,
    fields: CaseFields,
    case_key: UUID | None = None,
    study: Study | None = None,
    again: bool = False,
    idempotency_key: str = "",
    together: bool = False,
) -> Submission:
    """Store one image and queue its analysis, or return the analysis that this patient's same bytes already have.

    The image joins ``study``; else the case with the same ``case_key``; else the patient's unsigned case with the same
    accession number; else a new case. A case whose films name another patient or examination in their headers is joined
    only ``together``: by a person who was shown that they do. Without that word the image becomes a case of its own,
    and is refused where ``study`` was named. Its file is stored before the transaction, so that no lock waits for a
    disk, and removed when the transaction fails or finds that there is nothing to add.

    Raises:
        Invalid: ``no_department``, ``empty_file``, ``bad_field``.
        ServiceError: ``too_large`` (413), ``storage_unavailable`` (503).
        StorageFull: ``storage_full``.
        Conflict: ``case_signed``, ``films_disagree``.
        Unprocessable: ``idempotency_key_reused``.
    """
    if user.department_id is None:
        raise Invalid(
            "no_department", _("Your account is not assigned to a department. Ask an administrator to assign it.")
        )
    if study is not None and study.department_id != user.department_id:
        raise ServiceError("not_found", _("There is no such case."), status=404)
    fields = cleaned(fields)
    _check_size(upload)
    header = headers.header_of(upload)
    file = storage.store_original(upload)
    try:
        if not file.size_bytes:
            raise _empty()
        with transaction.atomic():
            post = _Post(user, token, file, fields, case_key, study, again, idempotency_key, header, together)
            submission = _submit(post)
    except BaseException:
        storage.discard(file.name)
        raise
    if submission.analysis.image.original_file != file.name:
        storage.discard(file.name)
    return submission


def _check_size(upload: File) -> None:
    size = upload.size
    if size == 0:
        raise _empty()
    if size > settings.MAX_UPLOAD_BYTES:
        limit = settings.MAX_UPLOAD_BYTES // (1024 * 1024)
        message = _("The file is larger than %(limit)s MB. Export a single film, or use compression.") % {
            "limit": limit
        }
        raise ServiceError("too_large", message, status=413)


def _empty() -> Invalid:
    message = _("The file is empty. Export it again and upload the new copy.")
    return Invalid("empty_file", message, fields={"image": [message]})


def _submit(post: _Post) -> Submission:
    department = lock_department(post.user.department_id)
    answered = _by_idempotency_key(post)
    if answered is None:
        existing = _same_image(post)
        answered = Submission(existing, False) if existing and not post.again else None
        if answered is None:
            answered = Submission(_queue_image(post, department, existing), True)
        if post.idempotency_key:
            IdempotencyKey.objects.create(
                user=post.user,
                key=post.idempotency_key,
                body_sha256=post.body_sha256,
                analysis=answered.analysis,
            )
    return answered


def _by_idempotency_key(post: _Post) -> Submission | None:
    if not post.idempotency_key:
        return None
    rows = IdempotencyKey.objects.select_related("analysis__image__study")
    used = rows.filter(user=post.user, key=post.idempotency_key).first()
    if used is None:
        return None
    if used.body_sha256 != post.body_sha256:
        raise Unprocessable(
            "idempotency_key_reused",
            "This Idempotency-Key was used for a different request. Use a new key for each film.",
        )
    return Submission(used.analysis, False)


def _same_image(post: _Post) -> Analysis | None:
    """The current analysis of the same bytes of the same patient that the poster may see, if any."""
    if not post.may_be_elsewhere:
        return None
    rows = (
        Analysis.objects.of_task(Task.TUMOUR)
        .for_user(post.user)
        .filter(image__original_sha256=post.file.sha256, image__study__department_id=post.user.department_id)
    )
    rows = rows.select_related("image__study__patient").order_by("-created_at", "id")
    for analysis in current_by_image(rows).values():
        if _same_patient(analysis.image, post):
            return analysis
    return None


def _same_patient(image: Image, post: _Post) -> bool:
    """The patient the image is filed under now has the typed record number; without one, as little was typed then."""
    patient = image.study.patient
    if post.study is not None:
        return post.study.patient_id == image.study.patient_id if patient else post.study.pk == image.study_id
    if post.fields.patient_id:
        return patient is not None and patient == with_number(post.department_id, post.fields.patient_id)
    typed = image.typed
    born = post.said.get("patient_birth_date", "")
    return (
        not typed.get("patient_id")
        and name_words(typed.get("patient_name", "")) == name_words(post.fields.patient_name)
        and typed.get("patient_birth_date", "") == born
    )


def _queue_image(post: _Post, department: Department, existing: Analysis | None) -> Analysis:
    """Make the rows of a new image, or of one more analysis of an image that is there, and wake a worker on commit."""
    reused = existing.image if existing and _may_reuse(existing.image, post) else None
    if reused is not None:
        study = cases.lock(reused.study_id)
        image, warnings = reused, list(existing.warnings) if existing else []
    else:
        study, warnings = _find_or_make_case(post)
        image = _make_image(post, study)
    now = timezone.now()
    context = audit.request_context.get()
    analysis = Analysis.objects.create(
        image=image,
        department=department,
        requested_by=post.user,
        api_token=post.token,
        queued_at=now,
        # Taken back when the message cannot be sent, so that the ordinary upload costs one statement less.
        woken_at=now,
        request_id=context.request_id,
        warnings=warnings,
    )
    if study.status != Status.QUEUED:
        Study.objects.filter(pk=study.pk).update(status=Status.QUEUED)
    if study.patient_id is not None and (post.may_be_elsewhere or study.accession_number or image.study_instance_uid):
        check_across(study)
        analysis.refresh_from_db(fields=["warnings"])
    audit.record(
        "upload",
        user=post.user,
        department=department,
        obj=analysis,
        case_id=study.pk,
        subject=study.record_number,
        detail={"again": post.again} if post.again else {},
    )
    transaction.on_commit(lambda: queue.wake(analysis.pk))
    return analysis


def _may_reuse(image: Image, post: _Post) -> bool:
    """*Again* is about the same image: nothing else was said of it, its case is open, and no other case was named."""
    elsewhere = (post.study is not None and post.study.pk != image.study_id) or (
        post.case_key is not None and post.case_key != image.study.case_key
    )
    same_words = all(image.typed.get(name, value) == value for name, value in post.said.items())
    return same_words and not elsewhere and not cases.is_signed(image.study)


def _find_or_make_case(post: _Post) -> tuple[Study, list[dict[str, Any]]]:
    """The case that the image belongs to, and where what was typed contradicts it or its patient."""
    said = post.said
    wanted = Wanted(post.department_id, post.study, post.case_key, post.fields, post.together)
    study = case_to_join(wanted, post.header)
    if study is None:
        study = _new_case(post, said)
        patient_before: Mapping[str, str] = {}
    else:
        cases.require_unsigned(study)
        patient_before = recorded(study)
    if study.patient is None and said.get("patient_id"):
        study.patient = find_or_make(study.department_id, said)
    if study.patient is not None and not patient_before.get("patient_id"):
        known = {name: value for name, value in recorded(study).items() if name.startswith("patient_")}
        patient_before = {**patient_before, **known}
    warnings = contradictions(said, {}, patient_before)
    if study._state.adding:
        study.save(force_insert=True)
    else:
        if study.patient is not None:
            Study.objects.filter(pk=study.pk, patient__isnull=True).update(patient=study.patient)
        complete_case(study, said)
    return study, warnings


def _new_case(post: _Post, said: Mapping[str, str]) -> Study:
    # A key whose case the film may not join stays that case's own.
    same_key = Study.objects.filter(department_id=post.department_id, case_key=post.case_key)
    is_key_taken = post.case_key is not None and same_key.exists()
    details = {name: value_of(name, said[name]) for name in CASE_FIELDS if said.get(name)}
    return Study(
        department_id=post.department_id,
        case_key=None if is_key_taken else post.case_key,
        created_by=post.user,
        api_token=post.token,
        **details,
    )


def _make_image(post: _Post, study: Study) -> Image:
    return Image.objects.create(
        study=study,
        original_file=post.file.name,
        original_sha256=post.file.sha256,
        original_size_bytes=post.file.size_bytes,
        view_position=post.fields.view_position,
        modality=post.header.identity.get("modality", "") or post.fields.modality,
        typed=post.said,
        early_header=dict(post.header.identity) if post.header.is_known else None,
        study_instance_uid=post.header.identity.get("study_instance_uid", ""),
    )
