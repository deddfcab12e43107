"""What the card says in words: intended use, limits, data, licence. Figures are written by `evaluate` alone."""

from __future__ import annotations

from typing import Any

STATEMENTS: dict[str, Any] = {
    "modality": ["CR", "DX"],
    "task": "tumour",
    "change": (
        "The members of 2.0.0 trained on with every stage of the encoder learning; a subtype ranking freed of how "
        "often each subtype was seen. Gate, rules and level as in 2.0.0."
    ),
    "outcome_rule": (
        "malignant if P(malignant) reaches its cut-off; otherwise benign if P(tumour) reaches its; else normal. "
        "normal = 1 - t, benign = t (1 - m), malignant = t m; t is the calibrated probability of a tumour, m that of "
        "malignancy given a tumour, each from logits averaged over the members and three views of the film (as it is, "
        "mirrored, slightly turned)."
    ),
    "intended_use": (
        "Research. A second look at single plain radiographs of bone, for doctors who read the film themselves. "
        "It decides nothing and replaces no reading, no biopsy and no referral to a bone tumour centre."
    ),
    "not_intended_for": [
        "diagnosis or treatment without a doctor",
        "excluding a tumour: a film called normal may show one",
        "naming a subtype, grade or stage: the subtypes are a ranking for the reader's thought, grade and stage are "
        "filled by no model",
        "MR, CT, ultrasound, photographs of screens, and any image but a plain radiograph of bone",
    ],
    "limits": [
        "The networks read 256 x 256 pixels of a film stretched to a square; small lesions are lost. In the training "
        "data the median lesion covers 0.9 % of the film, every sixth less than 0.1 %.",
        "Plain radiographs only, each judged by itself, without age, site, other views or earlier films.",
        "The training data holds no patient identity; neighbouring films were kept together, which lowers leakage "
        "but cannot prove that there is none.",
        "Trained on two sources; another hospital's films may be judged worse. The figures of centre "
        "tell how much worse the same recipe did on a source that it had never seen.",
        "Calibration and conformal coverage hold for films like the held-out ones; no guarantee under a shift.",
        "Cut-offs were chosen on answers of single members, the shipped model averages several: its answers are "
        "slightly less extreme than those that the cut-offs were chosen on.",
        "A film stored with bone dark, against what its file says, is judged worse.",
        "The subtype ranking is weak: out of fold, half of the bone cysts and four of five osteochondromas and "
        "osteosarcomas stand first, but no giant cell tumour of 37 and hardly any of the rarer subtypes.",
        "Grade and stage: nobody has published labels to learn them from; no model here fills these fields.",
    ],
    "withheld": {
        "text": (
            "An answer is withheld when the class-conditional conformal set does not hold exactly the class that the "
            "outcome rule calls, when the film is unlike the training films, or when one of the three views alone "
            "would be called otherwise. No guarantee under shift: on films of another source the sets may cover less."
        ),
        "reasons": {
            "set_undecided": "The film's probabilities do not decide between the classes at the stated level.",
            "unlike_training": "The film differs from the films used to train the model.",
            "unstable": "The answer changes when the film is mirrored or slightly turned.",
        },
    },
    "gate": {
        "method": (
            "one look of a fixed ImageNet MobileNetV2: a linear classifier between bone films and everything else, "
            "likeness to each known kind of other image, and what of the image no bone film ever shows"
        ),
        "chosen_on": "folds 0 to 4 and centre 2 left out as a stand-in for another source",
        "blank_rule": (
            "refused where the 1st and 99th percentile of grey differ by less than 10 of 255, or where the film is a "
            "smooth ramp (second differences on a 32 x 32 grid below 9)"
        ),
    },
    "subtype_adjustment": {
        "method": (
            "logit adjustment after training (Menon et al. 2021): strength times the log of each subtype's share among "
            "the training films is taken off its logit"
        ),
        "chosen_on": "out of fold: the best mean over the subtypes of the share put first, at no cost in hits overall",
    },
    "saliency": {
        "method": (
            "gradient times activation (HiResCAM) of the deciding logit over all maps that the first member reads"
        ),
        "status": "not shown",
        "reason": "Not measured yet.",
    },
    "training_data": {
        "name": "BTXRD, a radiograph dataset for bone tumours (256 px copies)",
        "citation": "Yao et al., Scientific Data 2025, doi 10.1038/s41597-024-04311-y",
        "licence": "paper CC BY-NC-ND 4.0, figshare page CC BY 4.0; treated as non-commercial, not redistributed",
        "start": "MobileNetV2 with ImageNet weights (torchvision mobilenet_v2-b0353104)",
        "gate": (
            "gate/not_bone: photographs, brain MR, chest films, receipts, screenshots and small CT, MR and US slices "
            "(research use), and images made in code"
        ),
    },
    "protocol": {
        "name": "grouped",
        "text": (
            "btxrd/folds.csv: each member was trained on four of the five development folds, for a number of epochs "
            "fixed beforehand; calibration, sets and cut-offs were fitted on the folds that the members had not seen. "
            "The part test had no say in any choice. No group of neighbouring or look-alike films crosses parts."
        ),
    },
    "licence": "Research, non-commercial use: see NOTICE beside the weights. The program is Apache-2.0.",
}

HISTORY: list[dict[str, str]] = [
    {
        "version": "1.0.1",
        "date": "2026-11-23",
        "text": "The founding paper's network for tumour and for malignant, and a small gate (bonescan-paper-cnn).",
    },
    {
        "version": "2.0.0",
        "date": "2026-11-24",
        "text": (
            "Joint networks: outline, subtype ranking, calibrated classes, withheld answers, two operating points; a "
            "gate on ImageNet features."
        ),
    },
]

NOTICE = """BoneScan model weights: notice

These weights were trained on BTXRD (Yao et al., "A radiograph dataset for the classification, localization, and
segmentation of primary bone tumors", Scientific Data 2025, doi 10.1038/s41597-024-04311-y). The paper is published
under CC BY-NC-ND 4.0 and its figshare page under CC BY 4.0; we treat the images, and what was learnt from them, as
non-commercial. The gate also learnt from public images that are free for research use.

Use of the weights: research and teaching, not for profit. Not a medical device; not for diagnosis. No image of the
training data is contained in, or distributed with, these files. Cite the dataset when you publish results.

The program around the weights is licensed separately, under Apache-2.0.
"""
