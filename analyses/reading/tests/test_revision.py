"""Where a mind went, seen from the model's answer."""

import pytest

from analyses.reading.revision import direction

MALIGNANT = {"outcome": "malignant", "malignant_probability": 0.8}
BENIGN = {"outcome": "benign", "malignant_probability": 0.1}
WITHHELD = {"outcome": "withheld", "malignant_probability": 0.42}


@pytest.mark.parametrize(
    ("before", "after", "answer", "expected"),
    [
        (("benign", 20), ("malignant", 80), MALIGNANT, "towards"),
        (("malignant", 80), ("benign", 20), MALIGNANT, "away"),
        (("malignant", 80), ("benign", 20), BENIGN, "towards"),
        (("benign", 20), ("benign", 20), MALIGNANT, "unchanged"),
        (("benign", 20), ("benign", 40), MALIGNANT, "towards"),
        (("benign", 20), ("benign", 5), MALIGNANT, "away"),
        (("malignant", 60), ("malignant", 100), MALIGNANT, "sideways"),
        (("benign", 40), ("normal", 5), MALIGNANT, "away"),
        (("cannot_tell", None), ("malignant", 70), MALIGNANT, "towards"),
        (("cannot_tell", None), ("benign", 30), MALIGNANT, "sideways"),
        (("benign", 20), ("malignant", 80), WITHHELD, "no_answer"),
        (("benign", 20), ("malignant", 80), None, "no_answer"),
        (("benign", 20), ("benign", 20), None, "unchanged"),
    ],
)
def test_the_direction_of_a_change(before, after, answer, expected):
    assert direction(before, after, answer) == expected
