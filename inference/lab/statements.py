"""What the card says in words: intended use, limits, data, licence. Figures are written by `evaluate` alone."""

from __future__ import annotations

from typing import Any

STATEMENTS: dict[str, Any] = {
    "modality": ["CR", "DX"],
    "outcome_rule": (
        "malignant if P(malignant) reaches its cut-off; otherwise benign if P(tumour) reaches its cut-off; "
        "else normal. normal = 1 - t, benign = t (1 - m), malignant = t m; "
        "t is the tumour network's probability, m the malignant network's."
    ),
    "intended_use": (
        "Research. A second look at single plain radiographs of bone, for doctors who read the film themselves. "
        "It decides nothing and replaces no reading, no biopsy and no referral to a bone tumour centre."
    ),
    "not_intended_for": [
        "diagnosis or treatment without a doctor",
        "excluding a tumour: a film called normal may show one",
        "MR, CT, ultrasound, photographs of screens, and any image but a plain radiograph of bone",
    ],
    "limits": [
        "The networks read 224 x 224 pixels of a film stretched to a square; small lesions are lost. In the training "
        "data the median lesion covers 0.9 % of the film.",
        "The training data holds no patient identity; neighbouring films were kept together, which lowers leakage "
        "but cannot prove that there is none.",
        "Trained on two sources; a third hospital's films may be judged worse.",
        "Each film is judged by itself, without age, site, other views or earlier films.",
        "It names neither the subtype nor grade nor stage of a tumour.",
        "The gate knows what it was shown. An earlier one of the same recipe that had never seen small MR slices of "
        "the breast let most of them pass: an unfamiliar kind of image may be judged as if it were bone.",
        "A film stored with bone dark, against what its file says, may pass the gate and be judged wrongly.",
    ],
    "saliency": {
        "method": (
            "Grad-CAM at the last convolution of the network that decided: the malignant network where the outcome is "
            "malignant, else the tumour network"
        ),
        "status": "not validated",
    },
    "training_data": {
        "name": "BTXRD, a radiograph dataset for bone tumours (256 px copies)",
        "citation": "Yao et al., Scientific Data 2025, doi 10.1038/s41597-024-04311-y",
        "licence": "paper CC BY-NC-ND 4.0, figshare page CC BY 4.0; treated as non-commercial, not redistributed",
        "gate": (
            "gate/not_bone: photographs, brain MR, chest films, receipts, screenshots and small CT, MR and US slices "
            "(research use), and images made in code"
        ),
    },
    "protocol": {
        "name": "grouped",
        "text": (
            "btxrd/folds.csv: trained on fold0 to fold3; early stop, calibration and cut-offs on fold4; figures "
            "on the part test, which had no say in any choice about the tumour and malignant networks. The gate "
            "was trained again after a first look at its test images (one kind moved to training, a rule for "
            "ramps added), so its figures are optimistic. No group of neighbouring or look-alike films crosses "
            "parts."
        ),
    },
    "licence": "Research, non-commercial use: see NOTICE beside the weights. The program is Apache-2.0.",
}

NOTICE = """BoneScan model weights: notice

These weights were trained on BTXRD (Yao et al., "A radiograph dataset for the classification, localization, and
segmentation of primary bone tumors", Scientific Data 2025, doi 10.1038/s41597-024-04311-y). The paper is published
under CC BY-NC-ND 4.0 and its figshare page under CC BY 4.0; we treat the images, and what was learnt from them, as
non-commercial. The gate also learnt from public images that are free for research use.

Use of the weights: research and teaching, not for profit. Not a medical device; not for diagnosis. No image of the
training data is contained in, or distributed with, these files. Cite the dataset when you publish results.

The program around the weights is licensed separately, under Apache-2.0.
"""
