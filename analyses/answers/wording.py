"""The words that pages use for states, reasons and warnings: one sentence each, and what to do next."""

from typing import Any

from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from analyses.answers import outside_use
from analyses.answers.remarks import REMARKS
from analyses.answers.tasks import cut_off_of, is_answer, sought_in
from analyses.formatting import written
from analyses.models import OUTCOME_CHOICES, Analysis, AtSite, FractureOutcome, Outcome, Stage, Status, Study, Task
from analyses.models.registry import NOT_ACCEPTED_AT_SITE
from analyses.registry import services as registry

OUTCOME_WORDS = dict(OUTCOME_CHOICES)
TAGS: dict[str, str] = {
    Outcome.NORMAL: "normal",
    Outcome.BENIGN: "benign",
    Outcome.MALIGNANT: "malignant",
    Outcome.WITHHELD: "withheld",
    Outcome.NOT_ANALYSABLE: "not-analysable",
    FractureOutcome.FRACTURE: "malignant",  # the mark of what is suspicious
    FractureOutcome.NO_FRACTURE: "normal",
}

MEANINGS: dict[str, Any] = {
    Outcome.MALIGNANT: _("Refer to a bone tumour centre before biopsy."),
    Outcome.BENIGN: _(
        "Not an all-clear: the model misses malignant tumours. If in doubt, refer to a bone tumour centre "
        "before biopsy."
    ),
    Outcome.NORMAL: _("The model misses small lesions. A negative film does not end the search for a lesion."),
    Outcome.WITHHELD: _("The model gives no answer for this film. Read it without a second opinion."),
    FractureOutcome.FRACTURE: _("Compare the outlined place with the other views and the clinical findings."),
    FractureOutcome.NO_FRACTURE: _(
        "Not an all-clear: the model misses fractures. If one is suspected clinically, image further."
    ),
}

REASONS = {
    "not_a_bone_radiograph": _(
        "The input check did not recognise a bone radiograph, so the model was not run. Read the film"
        " without a second opinion, or upload the correct film."
    ),
    "blank_image": _(
        "The image has almost no contrast, so the model was not run. Export the film again and upload it."
    ),
    "outside_intended_use": _(
        "The model is meant for plain radiographs of bone, so it was not run. Read the film without a second opinion."
        " If a tag is wrong, correct it on the case page or send the film again with the right tags."
    ),
    "no_model_for_modality": _(
        "There is no validated model for this modality. Read the images without a second opinion."
    ),
    "not_human": _(
        "According to the file, the patient is an animal, so the model was not run. Check that the film belongs here."
    ),
}

# Why an answer is withheld. ``{classes}`` are the outcomes that the conformal set holds.
WITHHELD = {
    "set_undecided": _(
        "The model cannot decide between {classes}: at its guaranteed error rate, each remains possible."
    ),
    "unlike_training": _("The film differs from the films used to train the model."),
    "orientation": _("The answer depends on which way up the film lies."),
    "unstable": _("The answer changes with small changes of the film, such as a slight rotation or crop."),
    "withheld_for_all": _("The model's answers are currently withheld for all films."),
    "not_accepted_at_site": _("The model has not been accepted in this department."),
}
SET_EMPTY_OF_TWO = _("No class fits the film: at the model's guaranteed error rate, both are excluded.")
SET_EMPTY = _("No class fits the film: at the model's guaranteed error rate, each of the three is excluded.")
NOT_AN_ANSWER = _("These figures are not an answer: the answer was withheld for the reasons above.")

CLASSES = {
    Outcome.NORMAL: _("no tumour"),
    Outcome.BENIGN: _("benign"),
    Outcome.MALIGNANT: _("malignant"),
    FractureOutcome.NO_FRACTURE: _("no fracture"),
    FractureOutcome.FRACTURE: _("fracture"),
}
POINTS = {"rule_out": _("rule-out"), "balanced": _("balanced"), "chosen": _("chosen"), "local": _("local")}
CUTS = {
    "malignant": _("malignant from %(value)s"),
    "tumour": _("tumour from %(value)s"),
    "finding": _("fracture from %(value)s"),
}
# Names of the data set that the model learnt from, where they are no words that people use.
SUBTYPES = {
    "other bt": _("other benign tumour"),
    "other mt": _("other malignant tumour"),
    "giant cell tumor": _("giant cell tumour"),
    "osteosarcoma": _("osteosarcoma"),
    "osteochondroma": _("osteochondroma"),
    "multiple osteochondromas": _("multiple osteochondromas"),
    "simple bone cyst": _("simple bone cyst"),
    "osteofibroma": _("osteofibroma"),
    "synovial osteochondroma": _("synovial osteochondroma"),
}

FIELDS = {
    "patient_id": _("record number"),
    "patient_name": _("name"),
    "patient_birth_date": _("birth date"),
    "patient_sex": _("sex"),
    "accession_number": _("accession number"),
    "modality": _("modality"),
    "body_part_examined": _("body part"),
    "laterality": _("side"),
    "view_position": _("view"),
    "study_date": _("date of the examination"),
    "study_instance_uid": _("study"),
    "same_film": _("film under another patient"),
    "same_study": _("examination under another patient"),
    "same_accession": _("accession number under another patient"),
    "film_moved": _("film moved after the signature"),
}

# What is asked about a film because of other cases: the question, and what its decision says.
ACROSS = {
    "same_film": _("The same film is also filed under another patient."),
    "same_study": _("The same examination (Study Instance UID) is also filed under another patient."),
    "same_accession": _("The same accession number is also filed under another patient."),
    "film_moved": _("A film of this case was moved to another case after the reading was signed."),
}

# Remarks of the decoder: on identity, here, and on pixels.
NOTES = {
    "charset_undecodable": _(
        "A name or number in the file could not be decoded and was left out. Check the patient and enter it by hand."
    ),
    "charset_doubtful": _(
        "The file states a character set in which a name or number makes no sense, so it was left out. Check the"
        " patient and enter it by hand."
    ),
    "charset_corrected": _(
        "The file states a wrong character set. Its text was read as UTF-8. Check the patient's name."
    ),
    "name_unreadable": _(
        "A name in the file contains unreadable characters and was left out. Check the patient and enter it by hand."
    ),
    "number_unreadable": _(
        "A record or accession number in the file is too long or contains unreadable characters, so it was left out."
        " Check the patient and enter it by hand."
    ),
    "several_numbers": _(
        "A record or accession number in the file has several parts, separated by a backslash. Check which one applies."
    ),
    "birth_date_implausible": _("The birth date in the file is in the future or before 1850 and was ignored."),
    "study_date_implausible": _("The examination date in the file is in the future or before 1850 and was ignored."),
    "birth_after_examination": _(
        "In the file, the examination is before the birth date. Both dates were ignored. Check the patient."
    ),
    "date_unreadable": _("A date in the file is invalid and was ignored."),
    "sex_unreadable": _("The sex stated in the file is not a DICOM value and was ignored."),
    "laterality_unreadable": _("The side stated in the file is not a DICOM value and was ignored."),
    "laterality_contradicts": _(
        "The file states two different sides, so none was used. Compare the side marker in the image with the case."
    ),
    "not_human": _("According to the file, the patient is an animal."),
    "burned_in_annotation": _(
        "According to the file, text is burned into the image. It may identify the patient, and may name a side:"
        " compare it with the case."
    ),
    "body_part_not_in_training": _(
        "According to its tags, a film shows the spine, the ribs, the sternum or the neck. The model was trained on "
        "limbs and pelvis only; its answer to this film is untested."
    ),
    **REMARKS,
}

ACTIONS = {
    "upload": _("film received"),
    "result": _("analysis ended"),
    "view_case": _("case opened"),
    "save_reading": _("reading saved"),
    "sign": _("reading signed"),
    "addendum": _("addendum added"),
    "start_reading": _("reading started"),
    "take_over": _("case taken over"),
    "release": _("case released"),
    "assign_reader": _("case assigned to a colleague"),
    "ask_second_reading": _("second reading requested"),
    "answer_second_reading": _("second reading answered"),
    "withdraw_second_reading": _("request withdrawn"),
    "refer": _("referred before biopsy"),
    "download_referral": _("referral downloaded"),
    "issue_report": _("report issued"),
    "download_report": _("report downloaded"),
    "download_archive": _("report downloaded in an archive"),
    "assign_patient": _("patient assigned"),
    "reassign": _("case reassigned"),
    "move_film": _("film moved to its own case"),
    "confirm_identity": _("identity confirmed"),
    "edit_case": _("case details changed"),
    "correct_tags": _("film's tags corrected"),
    "cancel": _("analysis cancelled"),
    "retry": _("analysis retried"),
    "reanalyse": _("films queued for re-analysis"),
    "verify_document": _("document verified"),
    "enter_outcome": _("outcome entered"),
    "correct_outcome": _("outcome corrected"),
    "access_denied": _("access denied"),
    "open_own_reading": _("unaided reading started"),
    "allocate": _("allocated in the trial"),
    "lock_own_reading": _("unaided reading locked"),
    "compare_readings": _("unaided and final reading compared"),
}


def tag_and_word(row: Analysis | Study) -> tuple[str, str]:
    """CSS tag and word for the state or, once there is one, the outcome of an analysis or a case."""
    if row.status == Status.SUCCEEDED and row.outcome:
        return TAGS[row.outcome], str(OUTCOME_WORDS[row.outcome])
    if row.status == Status.FAILED:
        return "failed", gettext("Failed")
    if row.status == Status.CANCELLED:
        return "neutral", gettext("Cancelled")
    stage = getattr(row, "stage", "") if row.status == Status.RUNNING else ""
    word = Stage(stage).label if stage else Status(row.status).label
    return "waiting", str(capfirst(str(word)))


def meaning(analysis: Analysis) -> str:
    """What the answer means for the person reading the film."""
    if analysis.outcome == Outcome.NOT_ANALYSABLE:
        unknown = _("The model does not assess this film. Read it without a second opinion.")
        return f"{outside_use.sentence(analysis)} {REASONS.get(analysis.reason_code, unknown)}".strip()
    return str(MEANINGS.get(analysis.outcome, ""))


def withheld_reasons(analysis: Analysis) -> list[str]:
    """Why the answer is withheld, a sentence for each reason; empty for every other answer."""
    if analysis.outcome != Outcome.WITHHELD:
        return []
    empty = SET_EMPTY_OF_TWO if analysis.task == Task.FRACTURE else SET_EMPTY
    return [_withheld_reason(code, analysis.prediction_set, str(empty)) for code in analysis.withheld_reasons]


def _withheld_reason(code: str, prediction_set: list[str], empty: str) -> str:
    classes = class_names(prediction_set)
    if code == "set_undecided" and not classes:
        return empty
    last = gettext(" and ")
    together = last.join([", ".join(classes[:-1]), classes[-1]] if len(classes) > 1 else classes)
    unknown = gettext("Reason given by the model: %(code)s.") % {"code": code}
    return str(WITHHELD.get(code, unknown)).format(classes=together)


def class_names(prediction_set: list[str]) -> list[str]:
    """The outcomes of a conformal set in words, in the order of the outcomes."""
    return [str(word) for outcome, word in CLASSES.items() if outcome.value in prediction_set]


def subtype_word(name: str) -> str:
    """A subtype as people write it."""
    return str(SUBTYPES.get(name, name.replace("_", " ")))


def point_name(point: dict[str, Any] | None) -> str:
    """The name of an operating point in words; *chosen* where it has none."""
    name = (point or {}).get("name") or "chosen"
    return str(POINTS.get(name, name))


def point_words(point: dict[str, Any] | None) -> str:
    """An operating point with its cut-offs, e.g. ``rule-out: malignant from 0.12, tumour from 0.48``."""
    point = point or {}
    cuts = [
        str(words) % {"value": probability(point[name])} for name, words in CUTS.items() if point.get(name) is not None
    ]
    return f"{point_name(point)}: {', '.join(cuts)}" if cuts else ""


def saliency_worth(analysis: Analysis) -> str:
    """What the saliency map is worth, by the card of the version that drew it."""
    measured = registry.saliency_is_measured(f"{analysis.model_name}-{analysis.model_version}")
    return gettext("measured: see the model page") if measured else gettext("not validated")


def site_mark(analysis: Analysis) -> str:
    """That the department has not accepted the model, where that holds and the answer is not kept back for it."""
    if analysis.site_acceptance != AtSite.NOT_ACCEPTED or not (
        is_answer(analysis.outcome) or analysis.outcome == Outcome.WITHHELD
    ):
        return ""
    return "" if NOT_ACCEPTED_AT_SITE in analysis.withheld_reasons else str(capfirst(str(AtSite.NOT_ACCEPTED.label)))


def operating_point_sentence(analysis: Analysis) -> str:
    """Where the probability stands against the operating point, in a sentence; empty where there is no answer."""
    threshold, value = cut_off_of(analysis), shown_value(analysis)
    if threshold is None or value is None or not is_answer(analysis.outcome):
        return ""
    above = value >= threshold
    words = {"name": point_name(analysis.operating_point), "value": probability(threshold)}
    if analysis.task == Task.FRACTURE:
        if above:
            return gettext("At or above the %(name)s operating point of %(value)s for a fracture.") % words
        return gettext("Below the %(name)s operating point of %(value)s for a fracture.") % words
    if above:
        return gettext("At or above the %(name)s operating point of %(value)s for malignancy.") % words
    return gettext("Below the %(name)s operating point of %(value)s for malignancy.") % words


def shown_value(row: Analysis | Study) -> float | None:
    """The probability of what was looked for, where the model answered; a withheld answer has none to show."""
    if row.outcome == Outcome.WITHHELD:
        return None
    if isinstance(row, Analysis) and row.task != Task.TUMOUR:
        return sought_in(row.task, row.probabilities)
    return row.malignant_probability


def probability(value: float | None) -> str:
    """A share of 1 with two decimals, as the language writes them; nothing where there is no number."""
    return "" if value is None else written(value, 2)
