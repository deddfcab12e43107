"""The words that pages use for states, reasons and warnings: one sentence each, and what to do next."""

from analyses.models import Analysis, Outcome, Reading, Status, Study

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
    "no_model_for_modality": "No model of this portal judges this modality. Read the images without a second opinion.",
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
    "result": "model answered",
    "view_case": "case opened",
    "save_reading": "reading saved",
    "sign": "reading signed",
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


def standing(analysis: Analysis) -> str:
    """Where the probability stands against the operating point, in a sentence; empty where there is none."""
    point = analysis.operating_point or {}
    threshold = point.get("malignant")
    if threshold is None or analysis.malignant_probability is None:
        return ""
    side = "At or above" if analysis.malignant_probability >= threshold else "Below"
    return f"{side} the {point.get('name') or 'chosen'} operating point of {threshold:.2f} for malignancy."


def agreeing_reading(study: Study) -> str:
    """The reading that agrees with the model's answer to the case; empty where there is no answer to agree with."""
    return AGREEING.get(Outcome(study.outcome), "") if study.outcome else ""
