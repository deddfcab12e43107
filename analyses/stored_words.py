"""English that is kept (in cards, checks of drift and faults of models), in the language of the page that shows it.

What is stored, mailed to programs or printed by commands stays English; only pages and letters ask here.
"""

import re
from collections.abc import Iterable

from django.utils.formats import number_format
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

# Keys of cards, spaces in place of underscores: measured figures and how they are broken down.
CARD = frozenset(
    (
        *(_("Macro AUROC"), _("AUROC, malignant"), _("AUROC, tumour"), _("Calibration error (ECE)")),
        *(_("Brier score"), _("accuracy"), _("balanced accuracy"), _("precision"), _("recall"), _("sensitivity")),
        *(_("specificity"), _("malignant sensitivity"), _("malignant specificity"), _("sensitivity at specificity")),
        *(_("precision at prevalence"), _("cancers called normal"), _("normals called normal")),
        *(_("tumours called normal"), _("called a tumour"), _("called malignant"), _("called normal")),
        *(_("called right"), _("per class"), _("normal"), _("benign"), _("malignant"), _("balanced"), _("rule out")),
        *(_("share"), _("share by class"), _("risk answered"), _("risk withheld counted as wrong")),
        *(_("malignant precision answered"), _("malignant recall answered"), _("recall answered by class")),
        *(_("malignant recall withheld counted as missed"), _("cancers called normal answered")),
        *(_("normals called normal answered"), _("withheld"), _("conformal"), _("coverage")),
        *(_("coverage by centre"), _("coverage by class"), _("mean size"), _("empty"), _("one class")),
        *(_("outline"), _("dice by class"), _("dice by size"), _("iou by size"), _("iou random")),
        *(_("iou same area"), _("iou same area by size"), _("lesion hits"), _("lesion hits by size")),
        *(_("lesion hits at 0.2"), _("lesion hits at 0.2 by size"), _("lesion hits at 0.2 false regions")),
        *(_("normal films with a false region"), _("false regions per normal film"), _("saliency")),
        *(_("pointing game by size"), _("pointing game of the centre"), _("pointing game random")),
        *(_("rank correlation"), _("randomisation"), _("structural similarity"), _("subtypes"), _("ranked")),
        *(_("first"), _("first by subtype"), _("first where ranked"), _("among first three"), _("all"), _("any")),
        *(_("any by class"), _("flips"), _("by perturbation"), _("found cancers lost"), _("blur"), _("contrast")),
        *(_("noise"), _("inversion"), _("crop 10"), _("rotate minus 10"), _("rotate plus 10"), _("gate")),
        *(_("with gate"), _("refused"), _("refused by class"), _("refused by kind"), _("bone refused")),
        *(_("bone of another source refused"), _("not bone refused"), _("not bone of unseen kinds refused")),
        *(_("tumour free films of another source"), _("screenshots"), _("centre"), _("subtype"), _("site"), _("size")),
        *(_("under 0.1 %"), _("0.1 to 1 %"), _("1 to 5 %"), _("over 5 %"), _("Foot"), _("Hand"), _("Knee")),
        *(_("Lower Arm"), _("Lower Leg"), _("Upper Leg"), _("grey mean"), _("grey spread")),
        *(_("distance from the training films"), _("probability of malignant"), _("probability of normal")),
        *(_("of 255"), _("standard deviation, of 255"), _("standard deviations")),
    )
)
# Names, groups and categories of what is monitored for drift.
MONITORED = frozenset(
    (
        *(_("grey mean"), _("grey spread"), _("film size, megapixels"), _("modality"), _("body part")),
        *(_("distance from the training films"), _("refused by the gate"), _("probability of malignancy")),
        *(_("probability of a fracture"), _("answers by the cut-off")),
        *(_("features and probabilities together"),),
        *(_("fracture"), _("no fracture")),
        *(_("answers by the cut-offs"), _("withheld"), _("overruled"), _("inputs"), _("outputs")),
        *(_("yes"), _("no"), _("not stated"), _("normal"), _("benign"), _("malignant"), _("all others")),
    )
)
BINS = (_("up to %(high)s"), _("%(low)s to %(high)s"), _("above %(low)s"))
# Body parts as DICOM names them (PS3.16, CID 4) and devices write them, and their everyday names.
BODY_PARTS: dict[str, str] = {
    "ABDOMEN": _("abdomen"),
    "ANKLE": _("ankle"),
    "ARM": _("arm"),
    "CALCANEUS": _("calcaneus"),
    "CALF": _("calf"),
    "CARPUS": _("carpus"),
    "CHEST": _("chest"),
    "CLAVICLE": _("clavicle"),
    "COCCYX": _("coccyx"),
    "CSPINE": _("cervical spine"),
    "ELBOW": _("elbow"),
    "EXTREMITY": _("extremity"),
    "FACE": _("face"),
    "FEMUR": _("femur"),
    "FIBULA": _("fibula"),
    "FINGER": _("finger"),
    "FOOT": _("foot"),
    "FOREARM": _("forearm"),
    "HAND": _("hand"),
    "HEAD": _("head"),
    "HEEL": _("heel"),
    "HIP": _("hip"),
    "HUMERUS": _("humerus"),
    "ILIUM": _("ilium"),
    "JAW": _("jaw"),
    "KNEE": _("knee"),
    "LEG": _("leg"),
    "LOWERLEG": _("lower leg"),
    "LSPINE": _("lumbar spine"),
    "MANDIBLE": _("mandible"),
    "MAXILLA": _("maxilla"),
    "NECK": _("neck"),
    "NOSE": _("nose"),
    "ORBIT": _("orbit"),
    "PATELLA": _("patella"),
    "PELVIS": _("pelvis"),
    "RADIUS": _("radius"),
    "RIB": _("rib"),
    "RIBS": _("ribs"),
    "SACRUM": _("sacrum"),
    "SCAPULA": _("scapula"),
    "SHOULDER": _("shoulder"),
    "SKULL": _("skull"),
    "SPINE": _("spine"),
    "STERNUM": _("sternum"),
    "THIGH": _("thigh"),
    "THORAX": _("thorax"),
    "THUMB": _("thumb"),
    "TIBIA": _("tibia"),
    "TOE": _("toe"),
    "TSPINE": _("thoracic spine"),
    "ULNA": _("ulna"),
    "UPPERARM": _("upper arm"),
    "UPPERLEG": _("upper leg"),
    "WRIST": _("wrist"),
}
# What inference, which knows no Django, says of weights and cards.
FAULTS = (
    _("The model has no card: install the weights together with card.json."),
    _("The model's card cannot be read: install weights and card again."),
    _("The model's card lacks %(keys)s: install weights and card again."),
    _("The model requires preprocessing %(wanted)s, but this program has %(present)s: install matching versions."),
    _("The model's weights file is missing: install it next to its card."),
    _("The model's weights do not match its card: install a matching pair."),
    _("The model %(key)s is not installed: install it or activate another model."),
    _("The card describes %(key)s, but the folder has another name: rename the folder."),
    _("The model's card has no acceptance rule: install a card that states one."),
    # Of site acceptance: what is wrong with a label file, a set of films or a run.
    _("The label file cannot be read as CSV."),
    _("The label file has no row below its header."),
    _("The label file has more than %(most)s rows."),
    _("The label file is larger than 2 MB."),
    _("The label file is not UTF-8 text."),
    _("The label file needs the columns file and label; patient is optional."),
    _("Line %(line)s: this file name occurs twice."),
    _("Line %(line)s: no file name."),
    _("Line %(line)s: the label must be normal, benign or malignant."),
    _("The set has %(clear)s tumour-free films and %(tumours)s films with a tumour: an acceptance needs both."),
    _(
        "The set has %(clear)s tumour-free films and %(tumours)s films with a tumour; the model's rule needs at least "
        "%(least_clear)s and %(least_tumours)s."
    ),
    _("%(seen)s of %(films)s films are among the films that the model learnt from. Use films of this site."),
    _("The model's weights were changed since the acceptance was set up. Set it up again."),
    _(
        "The acceptance stopped because of a technical fault. Set it up again; if the fault persists, inform the "
        "operator."
    ),
)
# Why the analysis of a film failed, as the decoder, the networks and the queue say it.
FAILURES = (
    _("The file is empty. Export it again and upload the new copy."),
    _("The file is not a readable image. Upload a JPEG, PNG, TIFF, WebP, BMP or single-frame DICOM."),
    _("This image format is not accepted. Export as JPEG, PNG, TIFF, WebP, BMP or DICOM."),
    _("The image is damaged or not valid for its format. Export it again from the source and upload the new copy."),
    _("The file is incomplete. Transfer it again; if it is still incomplete, export it again."),
    _("The file is larger than the limit. Export a single film at its native resolution, or use compression."),
    _("The image has more pixels than the limit. Export a single film at its native resolution."),
    _("The file contains several frames. Upload one film per file: export the relevant frame separately."),
    _("Deflated DICOM is not accepted. Send it uncompressed or with an image compression."),
    _("This DICOM transfer syntax is not accepted. Send it uncompressed, or as RLE, JPEG, JPEG-LS or JPEG 2000."),
    _("The DICOM object contains no image. Send the image object itself, not a directory, report or plan."),
    _("The file holds raw detector data (For Processing). Send the processed image (For Presentation) instead."),
    _("Reading the image needs more memory than the limit. Export it uncompressed or smaller."),
    _("Reading the image takes longer than the limit. Export it uncompressed or smaller."),
    _("Reading the image stopped unexpectedly. Try again; if it fails again, export the image once more."),
    _("The image reader is not running. The image has been kept and will be tried again. Inform the operator."),
    _(
        "The analysis was started several times but never finished. This film may crash the program: "
        "export it again and upload the new copy, or inform the operator."
    ),
    _("The file store is full or cannot be reached. Inform the operator, then try the analysis again."),
    _("The stored file is missing. Ask the operator to restore it from a backup."),
    _("The stored file is damaged. Ask the operator to restore it from a backup."),
    _("The analysis took too long. Export a smaller film, or try again when the system is less busy."),
    _("The analysis stopped because of a technical fault. Try again; if the fault persists, inform the operator."),
    _("The model returned no valid figure for this image: inform the operator."),
    _("The model's weights do not fit the networks of its card."),
    _("The model's weights are damaged: install weights and card again."),
    _("This program does not support the model's family: install a newer version."),
    _("The model's card is incomplete: install weights and card again."),
)
# Sentences as earlier versions stored them, and what the pages say today.
EARLIER: dict[str, str] = {
    "The file store is full or away. Tell the operator, then try the analysis again.": (
        "The file store is full or cannot be reached. Inform the operator, then try the analysis again."
    ),
    "The stored file is missing. Tell the operator; backups hold it.": (
        "The stored file is missing. Ask the operator to restore it from a backup."
    ),
    "The model wants preprocessing %(wanted)s, this program has %(present)s: install matching versions.": (
        "The model requires preprocessing %(wanted)s, but this program has %(present)s: install matching versions."
    ),
    "The model's weights file is missing: install it beside its card.": (
        "The model's weights file is missing: install it next to its card."
    ),
    "The model's weights are not those its card describes: install a matching pair.": (
        "The model's weights do not match its card: install a matching pair."
    ),
    "The model %(key)s is not installed here: install it, or activate another one.": (
        "The model %(key)s is not installed: install it or activate another model."
    ),
    "The card describes %(key)s: the folder must have that name.": (
        "The card describes %(key)s, but the folder has another name: rename the folder."
    ),
    "The file is no image that can be read. Upload a JPEG, PNG, TIFF, WebP, BMP or single-frame DICOM.": (
        "The file is not a readable image. Upload a JPEG, PNG, TIFF, WebP, BMP or single-frame DICOM."
    ),
    "The image is damaged or breaks its own format. Export it again from the source and upload that.": (
        "The image is damaged or not valid for its format. Export it again from the source and upload the new copy."
    ),
    "The file ends before the image does. Transfer it again; if it stays short, export it again.": (
        "The file is incomplete. Transfer it again; if it is still incomplete, export it again."
    ),
    "The file is larger than the limit. Export the single film at its own resolution, or compressed.": (
        "The file is larger than the limit. Export a single film at its native resolution, or use compression."
    ),
    "The image has more pixels than the limit. Export the single film at its own resolution.": (
        "The image has more pixels than the limit. Export a single film at its native resolution."
    ),
    "The file holds several frames. Upload one film per file: export the frame to be judged on its own.": (
        "The file contains several frames. Upload one film per file: export the relevant frame separately."
    ),
    "The DICOM object holds no image. Send the image object itself, not a directory, report or plan.": (
        "The DICOM object contains no image. Send the image object itself, not a directory, report or plan."
    ),
    "The image reader is not running. The image is kept and tried again; tell the operator.": (
        "The image reader is not running. The image has been kept and will be tried again. Inform the operator."
    ),
    "The analysis was begun several times and never ended. The film may be one that stops the "
    "program: export it again and upload that, or tell the operator.": (
        "The analysis was started several times but never finished. This film may crash the program: "
        "export it again and upload the new copy, or inform the operator."
    ),
    "The stored file is damaged. Tell the operator; backups hold it.": (
        "The stored file is damaged. Ask the operator to restore it from a backup."
    ),
    "The analysis took too long. Export the film smaller, or try again when less is going on.": (
        "The analysis took too long. Export a smaller film, or try again when the system is less busy."
    ),
    "The analysis stopped on a technical fault. Try it again; if it stays, tell the operator.": (
        "The analysis stopped because of a technical fault. Try again; if the fault persists, inform the operator."
    ),
    "The model gave no number for this image: report it to the operator.": (
        "The model returned no valid figure for this image: inform the operator."
    ),
    "This program does not know the model's family: install a newer one.": (
        "This program does not support the model's family: install a newer version."
    ),
}
NUMBER = r"[-+.\de]+"
# The catalogue has "other" as a sex; here it is what no bin of its own counts.
OTHER, OTHERS = "other", _("all others")


def card_word(text: str) -> str:
    """A key or a fixed value of a card in words; what is not known stays as the card has it."""
    if re.fullmatch(r"\d+\.\d+", text):
        return str(number_format(text))
    return gettext(text) if text in CARD else text


def figure_word(text: str) -> str:
    """The name, the group or a category of a monitored figure."""
    return gettext(text) if text in MONITORED else text


def body_part_words(stored: str) -> str:
    """A body part in words; a name that is not DICOM's stays as it was stored, in small letters."""
    known = BODY_PARTS.get(stored.strip().upper())
    return gettext(known) if known else stored.lower()


def bin_words(label: str) -> str:
    """What the bin of a monitored figure is called: a span of numbers or a category."""
    if re.fullmatch(NUMBER, label):
        return str(number_format(label))
    if label == OTHER:
        return gettext(OTHERS)
    if label.upper() in BODY_PARTS:
        return body_part_words(label)
    span = _match_sentence(label, BINS, NUMBER)
    if span is None:
        return figure_word(label)
    return gettext(span[0]) % {name: number_format(value) for name, value in span[1].items()}


def fault_words(message: str) -> str:
    """What is wrong with an installed model, or why a film failed; a sentence that is not known stays English."""
    if message in FAILURES:
        return gettext(message)
    found = _match_sentence(message, (*FAULTS, *EARLIER), ".+?")
    return gettext(EARLIER.get(found[0], found[0])) % found[1] if found else message


def _match_sentence(text: str, sentences: Iterable[str], value: str) -> tuple[str, dict[str, str]] | None:
    """The sentence that the text is, and what stands in its places."""
    for sentence in sentences:
        # Literal texts and names of places by turns.
        parts = re.split(r"%\((\w+)\)s", sentence)
        pattern = "".join(f"(?P<{part}>{value})" if i % 2 else re.escape(part) for i, part in enumerate(parts))
        if match := re.fullmatch(pattern, text):
            return sentence, match.groupdict()
    return None
