"""From a prediction to the record: every detail is kept; slices of another modality are shown and not judged."""

from types import SimpleNamespace

import numpy as np
import pytest
from django.core.files.base import ContentFile
from pydicom.uid import CTImageStorage

from analyses.intake import services as intake
from analyses.intake.services import CaseFields
from analyses.models import Analysis
from analyses.pipeline import results, running
from analyses.reports.content import answer_line
from analyses.tests.factories import StudyFactory, result
from analyses.tests.toy_model import install_toy
from inference.card import ModelIdentity
from inference.imaging.canonical import canonical_sha256, encode_png
from inference.imaging.decode import decode_bytes
from inference.prediction import Gate, Prediction, Region
from inference.tests.made_dicom import dicom

pytestmark = pytest.mark.django_db
WHAT_TO_DO = (
    "The model is meant for plain radiographs of bone, so it was not run. Read the film without a second opinion."
    " If a tag is wrong, correct it on the case page or send the film again with the right tags."
)
WORDS = {"CT": "CT (computed tomography)", "MR": "MR (magnetic resonance)"}


def prediction(**fields) -> Prediction:
    """A prediction in which every detail is said."""
    values = {
        "outcome": "malignant",
        "probabilities": {"normal": 0.1, "benign": 0.2, "malignant": 0.7},
        "operating_point": {"name": "rule_out", "malignant": 0.3, "tumour": 0.5},
        "gate": Gate(analysable=True, score=0.99, threshold=0.5, reason_code=""),
        "model": ModelIdentity("m", "2.0.0", "f" * 64),
        "preprocessing_version": "1",
        "canonical_sha256": "c" * 64,
        "saliency": None,
        "timings_ms": {},
        "leaning": "malignant",
        "withheld_reasons": (),
        "prediction_set": ("malignant",),
        "subtypes": (("osteosarcoma", 0.7), ("other", 0.3)),
        "regions": (Region(polygon=((0.1, 0.2), (0.3, 0.2), (0.3, 0.4)), box=(0.1, 0.2, 0.3, 0.4), area=0.02,
                                    probability=np.float32(0.5)),),
        "distance": 3.25,
    }  # fmt: skip
    return Prediction(**values | fields)


def stored(**fields) -> dict:
    return results.answer_fields(results.Answer(prediction(**fields), "", "a" * 64, {}, "1"))


def test_outline_ranking_set_and_distance_are_stored_as_json():
    kept = stored()
    assert (kept["leaning"], kept["prediction_set"], kept["distance"]) == ("malignant", ["malignant"], 3.25)
    assert kept["subtypes"] == [["osteosarcoma", 0.7], ["other", 0.3]]
    assert kept["regions"] == [
        {"polygon": [[0.1, 0.2], [0.3, 0.2], [0.3, 0.4]], "box": [0.1, 0.2, 0.3, 0.4], "area": 0.02, "probability": 0.5}
    ]
    assert kept["operating_point"]["name"] == "rule_out"


def test_a_withheld_answer_keeps_all_reasons_and_names_the_first():
    kept = stored(outcome="withheld", withheld_reasons=("unstable", "unlike_training"))
    assert (kept["outcome"], kept["leaning"]) == ("withheld", "malignant")
    assert (kept["reason_code"], kept["withheld_reasons"]) == ("unstable", ["unstable", "unlike_training"])


def test_a_refusal_of_the_gate_keeps_its_own_reason():
    gate = Gate(analysable=False, score=0.1, threshold=0.5, reason_code="not_a_bone_radiograph")
    kept = stored(outcome="not_analysable", probabilities=None, gate=gate, leaning="", subtypes=(), regions=())
    assert (kept["reason_code"], kept["withheld_reasons"]) == ("not_a_bone_radiograph", [])


class LocalDecoder:
    """Decodes for real, in this process."""

    def decode(self, data: bytes) -> SimpleNamespace:
        found = decode_bytes(data)
        digest = canonical_sha256(found.grey)
        png = encode_png(found.grey)
        return SimpleNamespace(grey=found.grey, png=png, canonical_sha256=digest, meta=found.meta, values=b"")


def ct_slice() -> bytes:
    """A CT slice in Hounsfield units with a bone window: air round a disc of bone."""
    y, x = np.mgrid[:128, :160]
    hounsfield = np.where((y - 64) ** 2 + (x - 80) ** 2 < 900, 700, -1000)
    elements = {"WindowCenter": "300", "WindowWidth": "1500", "RescaleSlope": "1", "RescaleIntercept": "-1024"}
    spacing = {"PixelSpacing": ["0.5", "0.5"]}
    stored_values = (hounsfield + 1024).astype("u2")
    return dicom(stored_values, Modality="CT", SOPClassUID=CTImageStorage, **elements, **spacing)


@pytest.fixture
def analysed(monkeypatch, doctor):
    """A function that sends a file through intake and worker; the model must not be asked."""
    monkeypatch.setattr(running, "_process", {"decoder": LocalDecoder()})

    def send(data: bytes) -> Analysis:
        upload = ContentFile(data, "slice.dcm")
        posted = intake.submit_image(user=doctor, token=None, upload=upload, fields=CaseFields())
        assert running.run(posted.analysis.pk, "w", 0.0)
        return Analysis.objects.select_related("image__study").get(pk=posted.analysis.pk)

    return send


def assert_shown_and_not_judged(client, doctor, row: Analysis, modality: str) -> None:
    assert (row.status, row.outcome, row.reason_code) == ("succeeded", "not_analysable", "outside_intended_use")
    assert row.probabilities is None
    assert (row.image.study.modality, row.image.spacing_source) == (modality, "calibrated")
    client.force_login(doctor)
    page = client.get(f"/cases/{row.image.study_id}/").content.decode()
    assert "Not analysable" in page
    assert f"Modality (0008,0060) is {WORDS[modality]}. {WHAT_TO_DO}" in page
    picture = client.get(f"/films/{row.pk}/image.png")
    assert (picture.status_code, picture["Content-Type"]) == (200, "image/png")


def test_a_ct_slice_is_kept_and_shown_and_no_model_is_asked(client, doctor, analysed):
    row = analysed(ct_slice())
    assert (row.modality, row.image.modality) == ("", "CT")
    assert_shown_and_not_judged(client, doctor, row, "CT")
    assert row.image.pixel_spacing_mm == [0.5, 0.5]


def test_a_real_mr_slice_is_kept_and_shown_and_no_model_is_asked(client, doctor, analysed, data_dir):
    assert_shown_and_not_judged(client, doctor, analysed((data_dir / "dicom" / "MR2_J2KR.dcm").read_bytes()), "MR")


def test_the_report_of_another_modality_says_so(client, doctor, analysed):
    assert answer_line(analysed(ct_slice())) == f"Modality (0008,0060) is {WORDS['CT']}. {WHAT_TO_DO}"


@pytest.mark.parametrize(
    ("status", "worth"),
    [("shown", "measured: see the model page"), ("not validated", "not validated"), ("", "not validated")],
)
def test_what_a_saliency_map_is_worth_is_said_by_the_card_of_its_own_version(
    client, doctor, tmp_path, monkeypatch, status, worth
):
    monkeypatch.setenv("BONESCAN_MODELS", str(tmp_path))
    if status:
        install_toy(tmp_path, "bonescan-test-0.0", saliency={"status": status})
    study = StudyFactory(owner=doctor.department)
    result("malignant", study=study)
    client.force_login(doctor)
    page = client.get(f"/cases/{study.pk}/").content.decode()
    assert f"Saliency map, {worth}, bonescan-test 0.0" in page
