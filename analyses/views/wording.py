"""The words that pages use for states, reasons and warnings: one sentence each, and what to do next."""

from typing import Any

from analyses.models import Analysis, Outcome, Reading, Status, Study
from analyses.services import registry

TAGS = {
    Outcome.NORMAL: "normal",
    Outcome.BENIGN: "benign",
    Outcome.MALIGNANT: "malignant",
    Outcome.WITHHELD: "withheld",
    Outcome.NOT_ANALYSABLE: "not-analysable",
}

MEANINGS = {
    Outcome.MALIGNANT: "Refer to a bone tumour centre before biopsy.",
    Outcome.BENIGN: "Not an all-clear: the model misses malignant tumours. If in doubt, refer to a bone tumour centre "
    "before biopsy.",
    Outcome.NORMAL: "The model misses small lesions. A film without a finding does not end the search for one.",
    Outcome.WITHHELD: "The model declines to answer on this film. Read it without a second opinion.",
}

REASONS = {
    "not_a_bone_radiograph": "The gate did not recognise a bone radiograph, so the model was not asked. Read the film "
    "without a second opinion, or upload the right one.",
    "blank_image": "The image holds next to no contrast, so the model was not asked. Export the film again and "
    "upload it.",
    "no_model_for_modality": "No validated model for this modality. Read the images without a second opinion.",
}

# Why an answer is withheld. ``{classes}`` are the outcomes that the conformal set holds.
WITHHELD = {
    "set_undecided": "The film does not decide between {classes}: at the error rate that the model keeps to, each "
    "remains possible.",
    "unlike_training": "The film is unlike the films that the model learnt from.",
    "unstable": "The answer changes under small changes of the film, such as a slight turn or crop.",
    "withheld_for_all": "This version of the model withholds its answer on every film.",
}
SET_EMPTY = "No class fits the film: at the error rate that the model keeps to, each of the three is excluded."
NOT_AN_ANSWER = "These numbers are no answer: the model withheld it for the reasons above."

CLASSES = {Outcome.NORMAL: "no tumour", Outcome.BENIGN: "benign", Outcome.MALIGNANT: "malignant"}
POINTS = {"rule_out": "rule-out"}
# Names of the data set that the model learnt from, where they are no words that people use.
SUBTYPES = {
    "other bt": "other benign tumour",
    "other mt": "other malignant tumour",
    "giant cell tumor": "giant cell tumour",
}

FIELDS = {
    "patient_id": "record number",
    "patient_name": "name",
    "patient_birth_date": "birth date",
    "patient_sex": "sex",
    "accession_number": "accession number",
    "modality": "modality",
    "body_part_examined": "body part",
    "laterality": "side",
    "view_position": "view",
    "study_date": "date of the examination",
    "study_instance_uid": "study",
}

NOTES = {
    "burned_in_annotation": "The file says that text is burned into the pixels: it may show patient identity.",
}

ACTIONS = {
    "upload": "film received",
    "result": "analysis ended",
    "view_case": "case opened",
    "save_reading": "reading saved",
    "sign": "reading signed",
    "open_own_reading": "own reading begun",
    "allocate": "lot of the trial drawn",
    "lock_own_reading": "own reading locked",
    "compare_readings": "own and final reading compared",
    "addendum": "addendum added",
    "issue_report": "report issued",
    "download_report": "report downloaded",
    "download_archive": "report downloaded in an archive",
    "assign_patient": "patient assigned",
    "reassign": "case reassigned",
    "confirm_identity": "identity confirmed",
    "edit_case": "case details changed",
    "cancel": "analysis cancelled",
    "retry": "analysis retried",
    "reanalyse": "films queued for another answer",
    "verify_document": "document verified",
    "access_denied": "access denied",
}

AGREEING = {
    Outcome.NORMAL: Reading.NORMAL,
    Outcome.BENIGN: Reading.BENIGN,
    Outcome.MALIGNANT: Reading.MALIGNANT,
}


def tag_and_word(row: Analysis | Study) -> tuple[str, str]:
    """CSS tag and word for the state or, once there is one, the outcome of an analysis or a case."""
    if row.status == Status.SUCCEEDED and row.outcome:
        return TAGS[Outcome(row.outcome)], Outcome(row.outcome).label
    if row.status == Status.FAILED:
        return "failed", "Failed"
    if row.status == Status.CANCELLED:
        return "neutral", "Cancelled"
    stage = getattr(row, "stage", "") if row.status == Status.RUNNING else ""
    return "waiting", (stage or str(row.status).replace("queued", "waiting")).capitalize()


def meaning(analysis: Analysis) -> str:
    """What the answer means for the person reading the film."""
    if analysis.outcome == Outcome.NOT_ANALYSABLE:
        return REASONS.get(
            analysis.reason_code, "The model does not judge this film. Read it without a second opinion."
        )
    return MEANINGS.get(Outcome(analysis.outcome), "") if analysis.outcome else ""


def withheld_reasons(analysis: Analysis) -> list[str]:
    """Why the answer is withheld, a sentence for each reason; empty for every other answer."""
    if analysis.outcome != Outcome.WITHHELD:
        return []
    return [_withheld_reason(code, analysis.prediction_set) for code in analysis.withheld_reasons]


def _withheld_reason(code: str, prediction_set: list[str]) -> str:
    classes = class_names(prediction_set)
    if code == "set_undecided" and not classes:
        return SET_EMPTY
    together = " and ".join([", ".join(classes[:-1]), classes[-1]] if len(classes) > 1 else classes)
    return WITHHELD.get(code, f"The model gave the reason {code}.").format(classes=together)


def class_names(prediction_set: list[str]) -> list[str]:
    """The outcomes of a conformal set in words, in the order of the outcomes."""
    return [word for outcome, word in CLASSES.items() if outcome.value in prediction_set]


def subtype_word(name: str) -> str:
    """A subtype as people write it."""
    return SUBTYPES.get(name, name.replace("_", " "))


def point_name(point: dict[str, Any] | None) -> str:
    """The name of an operating point in words; *chosen* where it has none."""
    name = (point or {}).get("name") or "chosen"
    return POINTS.get(name, name)


def point_words(point: dict[str, Any] | None) -> str:
    """An operating point with its cut-offs, e.g. ``rule-out: malignant from 0.12, tumour from 0.48``."""
    point = point or {}
    cuts = [f"{name} from {point[name]:.2f}" for name in ("malignant", "tumour") if point.get(name) is not None]
    return f"{point_name(point)}: {', '.join(cuts)}" if cuts else ""


def saliency_worth(analysis: Analysis) -> str:
    """What the saliency map is worth, by the card of the version that drew it."""
    measured = registry.saliency_is_measured(f"{analysis.model_name}-{analysis.model_version}")
    return "measured: see the model page" if measured else "not validated"


def standing(analysis: Analysis) -> str:
    """Where the probability stands against the operating point, in a sentence; empty where there is no answer."""
    threshold = (analysis.operating_point or {}).get("malignant")
    if threshold is None or analysis.malignant_probability is None or analysis.outcome not in AGREEING:
        return ""
    side = "At or above" if analysis.malignant_probability >= threshold else "Below"
    return f"{side} the {point_name(analysis.operating_point)} operating point of {threshold:.2f} for malignancy."


def agreeing_reading(outcome: str) -> str:
    """The reading that agrees with the model's outcome of a case; empty where there is no answer to agree with."""
    return AGREEING.get(Outcome(outcome), "") if outcome else ""
