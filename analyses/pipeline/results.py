"""Writes what a worker found: the answer, the image as decoded, and what the file's header adds to the record."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from analyses.answers import current
from analyses.answers.across import check_across
from analyses.models import SIGNED_STATES, Image, Outcome, ReadingState, Stage, Status, Study, Task
from analyses.notifications import services as notifications
from analyses.pipeline import further_tasks, holds, queue, site_acceptance, summary
from analyses.pipeline.queue import Claim
from analyses.record import cases
from analyses.record.fields import IDENTITY_FIELDS
from analyses.record.grouping import may_join
from analyses.record.identity import (
    AGAINST_FILE,
    contradictions,
    differing,
    merged,
    recorded,
    warning,
    with_remarks,
)
from analyses.record.patients import complete, complete_case, find_or_make, lock_department
from analyses.registry.uses import IntendedUse
from inference.prediction import Prediction, Region
from inference.use import rules

NO_MODEL = "no_model_for_modality"
_UIDS = ("study_instance_uid", "series_instance_uid", "sop_instance_uid")


@dataclass(frozen=True)
class DecodedImage:
    """A decoded image: what its file says, and the canonical image that was stored of it."""

    meta: Mapping[str, Any]
    canonical_file: str
    canonical_sha256: str
    width_px: int
    height_px: int
    display_file: str = ""

    @property
    def header(self) -> dict[str, str]:
        """What the file says of patient and examination; only what it says."""
        return {name: value for name, value in self.meta.get("identity", {}).items() if value}


@dataclass(frozen=True)
class Answer:
    """What the model said; ``prediction`` and ``use`` are None where no model judges the film: ``why_not``.

    ``said`` is what file and uploader say of modality and body part, ``outside`` what of it is not what the model is
    meant for; ``site_acceptance`` whether the department had accepted it, a value of ``AtSite``, empty without a model.
    """

    prediction: Prediction | None
    saliency_file: str
    input_sha256: str
    timings_ms: dict[str, float]
    preprocessing_version: str
    input_stats: Mapping[str, Any] = field(default_factory=dict)
    use: IntendedUse | None = None
    why_not: str = NO_MODEL
    site_acceptance: str = ""
    said: Sequence[rules.Statement] = ()
    outside: Sequence[rules.Statement] = ()
    # What else the film is to be asked once this is stored: see further_tasks.
    further: Sequence[IntendedUse] = ()

    @property
    def remarks(self) -> list[str]:
        """Codes of what a reader should know of an answer beside it."""
        judged = self.prediction is not None and rules.is_untrained_part(self.said)
        return [rules.UNTRAINED_BODY_PART] if judged else []


@transaction.atomic
def finish(claim: Claim, decoded: DecodedImage, answer: Answer) -> None:
    """End a claimed analysis as succeeded, in one transaction with everything that follows from it.

    Raises:
        LeaseLost: the row is no longer this worker's; nothing is written.
    """
    # What the file says was compared and kept with the tumour's analysis, which comes first.
    header = decoded.header if claim.analysis.task == Task.TUMOUR else {}
    if header:
        lock_department(claim.analysis.department_id)
    image = claim.analysis.image
    # Only a header moves an image to another case, and a move needs the department's lock.
    if header:
        study = cases.lock(Image.objects.values_list("study", flat=True).get(pk=image.pk))
    else:
        study = cases.lock_row(image.study_id)
    values, use = answer_fields(answer), answer.use
    if use is not None:
        values = holds.kept_back_fields(holds.stored_fields(values, use), claim.analysis.department)
    warnings, moved_from = _current_warnings(claim), None
    if header:
        image = Image.objects.get(pk=image.pk)
        warnings = _apply_header(study, image, header, warnings)
        study, moved_from = join_same_examination(study, image, header, warnings)
    found = [*decoded.meta.get("warnings", []), *answer.remarks] if claim.analysis.task == Task.TUMOUR else []
    values["warnings"] = with_remarks(warnings, found)
    queue.end(claim, Status.SUCCEEDED, stage=Stage.DONE, canonical_sha256=decoded.canonical_sha256, **values)
    _keep_image(image, decoded, header, rules.modality_of(answer.said))
    if header:
        check_across(study)
    summary.summarise(study, changed=True)
    detail = {"status": Status.SUCCEEDED, "outcome": values["outcome"]}
    if answer.outside:
        detail["reason"] = values["reason_code"]
    queue.record_result(claim.analysis, study.pk, detail | ({"moved_from": str(moved_from)} if moved_from else {}))
    if cases.is_signed(study):
        _came_late(study, values["warnings"], reported=claim.analysis.task == Task.TUMOUR)
    further_tasks.ask_further(claim.analysis, study.pk, list(answer.further))
    if use is not None:
        transaction.on_commit(lambda: site_acceptance.settle_late_answer(claim.analysis.pk, use))


def _came_late(study: Study, warnings: list[dict[str, Any]], *, reported: bool) -> None:
    """The case was signed meanwhile: its reader is told, and its report waits for a contradiction to be decided."""
    if any(warning.get("field") and not warning.get("confirmed") for warning in warnings):
        cases.touch(study)
    if reported:
        notifications.late_answer(study)


def answer_fields(answer: Answer) -> dict[str, Any]:
    """The answer as fields of the analysis."""
    fields: dict[str, Any] = {
        "input_sha256": answer.input_sha256,
        "saliency_file": answer.saliency_file,
        "timings_ms": answer.timings_ms,
        "preprocessing_version": answer.preprocessing_version,
        "input_stats": dict(answer.input_stats),
        "modality": answer.use.modality if answer.use else "",
        "outside_use": [one.as_dict() for one in answer.outside],
        "site_acceptance": answer.site_acceptance,
    }
    prediction = answer.prediction
    if prediction is None:
        reason = rules.OUTSIDE_INTENDED_USE if answer.outside else answer.why_not
        return fields | {"outcome": Outcome.NOT_ANALYSABLE, "reason_code": reason}
    gate = prediction.gate
    chances = prediction.probabilities
    withheld = list(prediction.withheld_reasons)
    return fields | {
        "outcome": prediction.outcome,
        "reason_code": gate.reason_code or (withheld[0] if withheld else ""),
        "probabilities": chances,
        "malignant_probability": chances.get("malignant") if chances else None,
        "operating_point": prediction.operating_point,
        "leaning": prediction.leaning,
        "withheld_reasons": withheld,
        "prediction_set": list(prediction.prediction_set),
        "subtypes": [[name, chance] for name, chance in prediction.subtypes],
        "regions": [_region(region) for region in prediction.regions],
        "distance": prediction.distance,
        "gate": {
            "analysable": gate.analysable,
            "score": gate.score,
            "threshold": gate.threshold,
            "reason_code": gate.reason_code,
        },
        "model_name": prediction.model.name,
        "model_version": prediction.model.version,
        "model_sha256": prediction.model.sha256,
    }


def _region(region: Region) -> dict[str, Any]:
    """One outline as JSON; lengths stay fractions of the image, so that they hold for every copy of it."""
    return {
        "polygon": [[float(x), float(y)] for x, y in region.polygon],
        "box": [float(edge) for edge in region.box],
        "area": float(region.area),
        "probability": float(region.probability),
    }


def _current_warnings(claim: Claim) -> list[dict[str, Any]]:
    """The contradictions as they are now: a doctor may have decided some while the image was being judged."""
    fresh = type(claim.analysis).objects.values_list("warnings", flat=True)
    return with_remarks(fresh.get(pk=claim.analysis.pk), ())


def _apply_header(
    study: Study, image: Image, header: Mapping[str, str], warnings: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Fill what nobody typed from the header and return the warnings where the two contradict."""
    typed = image.typed
    had_patient = study.patient is not None
    if study.patient is None and header.get("patient_id"):
        study.patient = find_or_make(
            study.department_id, {name: typed.get(name) or header.get(name, "") for name in IDENTITY_FIELDS}
        )
        study.save(update_fields=["patient"])
    # After that, so that a patient who was known already is compared as well.
    record = recorded(study)
    found = contradictions(typed, header, record)
    fillable = {name: value for name, value in header.items() if name not in {w["field"] for w in found}}
    patient = study.patient
    # Behind a signature nothing of patient and case is filled.
    signed = cases.is_signed(study)
    if patient is not None and fillable.get("patient_id") and not signed:
        complete(patient, fillable)
    if warning("patient_id", AGAINST_FILE) not in found and not signed:
        complete_case(study, fillable)
    # What the record did not say contradicts nothing: what was filled just now makes no difference here.
    result = merged(warnings, found, () if image.header else differing(header, record))
    if not had_patient and patient is not None and study.images.count() > 1:
        current.recheck(study, IDENTITY_FIELDS)
    return result


def join_same_examination(
    study: Study, image: Image, header: Mapping[str, str], warnings: list[dict[str, Any]]
) -> tuple[Study, Any]:
    """Move an image that was sent by itself to its patient's open case of the same Study Instance UID.

    Only a case that this very post made, that nobody named and nobody worked on, is dissolved so.

    Returns:
        The case the image is in now, and the id of the dissolved one or None.
    """
    uid, open_questions = header.get("study_instance_uid", ""), [w for w in warnings if not w["confirmed"]]
    alone = study.case_key is None and study.images.count() == 1
    alone = alone and study.reading_state == ReadingState.UNREAD and study.assigned_to_id is None
    if not uid or study.patient is None or open_questions or not alone:
        return study, None
    kept = (study.reports, study.second_readings, study.unaided_readings, study.referrals, study.case_outcomes)
    if hasattr(study, "review") or any(rows.exists() for rows in kept):
        return study, None
    others = Study.objects.filter(department_id=study.department_id, study_instance_uid=uid, patient=study.patient)
    target = others.exclude(reading_state__in=SIGNED_STATES).exclude(pk=study.pk).order_by("created_at").first()
    if target is None:
        return study, None
    target = cases.lock(target.pk)
    stated = (other.stated for other in target.images.only("header", "early_header", "file_format"))
    if cases.is_signed(target) or not may_join(header, (said for said in stated if said)):
        return study, None
    image.study = target
    image.save(update_fields=["study"])
    dissolved = study.pk
    study.delete()
    return target, dissolved


def keep_modality(image: Image, modality: str) -> None:
    """Note what a film is by its file, also where its analysis failed."""
    if modality != image.modality:
        Image.objects.filter(pk=image.pk).update(modality=modality[:16])


def _keep_image(image: Image, decoded: DecodedImage, header: Mapping[str, str], modality: str) -> None:
    meta = decoded.meta
    values: dict[str, Any] = {
        "modality": modality[:16],
        "file_format": meta["format"],
        "width_px": meta["width_px"],
        "height_px": meta["height_px"],
        "canonical_file": decoded.canonical_file,
        "canonical_sha256": decoded.canonical_sha256,
        "canonical_width_px": decoded.width_px,
        "canonical_height_px": decoded.height_px,
        "display_file": decoded.display_file,
        "display": meta.get("display"),
        "pixel_spacing_mm": meta.get("canonical_pixel_spacing_mm") or meta.get("pixel_spacing_mm"),
        "spacing_source": meta.get("spacing_source", ""),
    }
    if header:
        values |= {name: header.get(name, "") for name in _UIDS}
        values |= {"header": header, "view_position": image.view_position or header.get("view_position", "")}
    Image.objects.filter(pk=image.pk).update(**values)


__all__ = ["NO_MODEL", "Answer", "DecodedImage", "answer_fields", "finish", "keep_modality"]
