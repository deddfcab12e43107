"""Rows of the clinical record for tests: by default one patient, one case, one film and one waiting analysis."""

import hashlib
import io
import uuid
from datetime import date
from typing import Any

import factory
import numpy as np
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.utils import timezone
from factory.django import DjangoModelFactory
from PIL import Image as Picture

from accounts.tests.factories import DepartmentFactory, UserFactory
from analyses import models
from analyses.models.vocabulary import Recommendation
from analyses.structured_reading.content import Structured
from inference.imaging.display import pack_film, values_of

PROBABILITIES = {
    "normal": {"normal": 0.9, "benign": 0.08, "malignant": 0.02},
    "benign": {"normal": 0.1, "benign": 0.8, "malignant": 0.1},
    "malignant": {"normal": 0.05, "benign": 0.15, "malignant": 0.8},
    "withheld": {"normal": 0.11, "benign": 0.47, "malignant": 0.42},
}
# What only a withheld answer carries; its leaning is shown to nobody.
WITHHELD = {
    "leaning": "malignant",
    "reason_code": "set_undecided",
    "withheld_reasons": ["set_undecided"],
    "prediction_set": ["benign", "malignant"],
}
# A region as the worker stores it: half as wide and a quarter as high as the film.
REGION = {
    "polygon": [[0.25, 0.25], [0.75, 0.25], [0.75, 0.5], [0.25, 0.5]],
    "box": [0.25, 0.25, 0.75, 0.5],
    "area": 0.125,
    "probability": 0.9,
}
# What a reading of *malignant* or *cannot tell* needs to be signed.
ADVISED = Structured(recommendation=Recommendation.REFER)
SUBTYPES = [["osteosarcoma", 0.7], ["giant cell tumour", 0.2], ["osteochondroma", 0.07], ["simple bone cyst", 0.03]]
MODEL = {"model_name": "bonescan-test", "model_version": "0.0", "model_sha256": "c" * 64, "preprocessing_version": "1"}


def png_bytes(width: int = 64, height: int = 80, seed: int = 0) -> bytes:
    """A small grey picture whose bytes differ for every seed."""
    grey = np.random.default_rng(seed).integers(0, 255, (height, width), dtype=np.uint8)
    buffer = io.BytesIO()
    Picture.fromarray(grey).save(buffer, format="PNG")
    return buffer.getvalue()


def saliency_bytes() -> bytes:
    """A small RGBA picture as the worker stores it."""
    buffer = io.BytesIO()
    Picture.new("RGBA", (16, 16), (255, 180, 40, 120)).save(buffer, format="PNG")
    return buffer.getvalue()


class PatientFactory(DjangoModelFactory):
    class Meta:
        model = models.Patient

    department = factory.SubFactory(DepartmentFactory)
    patient_id = factory.Sequence(lambda n: f"R{n:06d}")
    patient_name = factory.Sequence(lambda n: f"PATIENT {n:04d}")
    patient_birth_date = date(1990, 5, 17)
    patient_sex = "F"


class StudyFactory(DjangoModelFactory):
    """A case of a patient; give ``patient=None`` and a ``department`` for an unassigned one."""

    class Meta:
        model = models.Study

    class Params:
        owner = factory.SubFactory(DepartmentFactory)

    patient = factory.SubFactory(PatientFactory, department=factory.SelfAttribute("..department"))
    department = factory.SelfAttribute("owner")
    created_by = factory.SubFactory(UserFactory, department=factory.SelfAttribute("..department"))
    accession_number = factory.Sequence(lambda n: f"ACC{n:06d}")
    modality = "DX"
    body_part_examined = "KNEE"
    laterality = "L"
    study_date = date(2026, 3, 2)


class ImageFactory(DjangoModelFactory):
    """A film; with ``stored=True`` its original and canonical files exist as well."""

    class Meta:
        model = models.Image

    class Params:
        content = factory.Sequence(lambda n: png_bytes(seed=n))

    study = factory.SubFactory(StudyFactory)
    original_file = factory.LazyFunction(lambda: f"originals/{uuid.uuid4()}")
    original_sha256 = factory.LazyAttribute(lambda film: hashlib.sha256(film.content).hexdigest())
    original_size_bytes = factory.LazyAttribute(lambda film: len(film.content))
    typed = factory.LazyAttribute(
        lambda film: {"patient_id": film.study.patient.patient_id} if film.study.patient else {}
    )

    @classmethod
    def _create(cls, model_class: Any, *args: Any, **kwargs: Any) -> models.Image:
        stored, content = kwargs.pop("stored", False), kwargs.pop("film_bytes", None) or png_bytes()
        if stored:
            default_storage.save(kwargs["original_file"], ContentFile(content))
            kwargs.setdefault(
                "canonical_file", default_storage.save(f"canonical/{uuid.uuid4()}.png", ContentFile(content))
            )
            kwargs.setdefault("canonical_sha256", "b" * 64)
            with Picture.open(io.BytesIO(content)) as picture:
                width, height = picture.size
            for name in ("width_px", "canonical_width_px"):
                kwargs.setdefault(name, width)
            for name in ("height_px", "canonical_height_px"):
                kwargs.setdefault(name, height)
            kwargs.setdefault("file_format", "png")
        return super()._create(model_class, *args, **kwargs)


class AnalysisFactory(DjangoModelFactory):
    """A waiting analysis; ``result("malignant", ...)`` makes a finished one."""

    class Meta:
        model = models.Analysis

    image = factory.SubFactory(ImageFactory)
    department = factory.LazyAttribute(lambda row: row.image.study.department)
    requested_by = factory.LazyAttribute(lambda row: row.image.study.created_by)
    queued_at = factory.LazyFunction(timezone.now)
    woken_at = factory.LazyFunction(timezone.now)


def deep_values(array: np.ndarray | None = None, **facts: Any) -> dict[str, Any]:
    """Fields of a film whose full depth was kept, for ``result(...)``; by default a ramp as large as its image."""
    values = values_of(np.arange(80 * 64, dtype=np.uint16).reshape(80, 64) if array is None else array, **facts)
    packed, described = pack_film(values)
    name = default_storage.save(f"display/{uuid.uuid4()}.gz", ContentFile(packed))
    return {"image__display_file": name, "image__display": described}


def result(outcome: str = "malignant", *, study: models.Study | None = None, **fields: Any) -> models.Analysis:
    """A succeeded analysis with this outcome (``"failed"``: a failed one), its files stored and its case summed up.

    Args:
        fields: fields of the analysis; ``image__...`` reaches the film, ``image__study__...`` the case.
    """
    from analyses.pipeline import summary

    now = timezone.now()
    values: dict[str, Any] = {
        "status": "succeeded",
        "stage": "done",
        "outcome": outcome,
        "started_at": now,
        "finished_at": now,
        "attempts": 1,
        "timings_ms": {"decoding": 11.0, "checking": 6.0, "classifying": 14.0, "explaining": 9.0},
        "operating_point": {"name": "balanced", "malignant": 0.3, "tumour": 0.5, "chosen_on": "fold4"},
        "image__stored": True,
        "modality": "DX",
        **MODEL,
    }
    if outcome == "failed":
        values |= {"status": "failed", "outcome": "", "error_code": "unreadable", "error_message": "Export it again."}
    elif outcome == "not_analysable":
        values |= {
            "reason_code": "not_a_bone_radiograph",
            "gate": {"analysable": False, "score": 0.1, "threshold": 0.5},
        }
    else:
        values |= {
            "probabilities": PROBABILITIES.get(outcome),
            "malignant_probability": PROBABILITIES.get(outcome, {}).get("malignant"),
        }
        values |= WITHHELD if outcome == "withheld" else {"leaning": outcome, "prediction_set": [outcome]}
        values |= {"gate": {"analysable": True, "score": 0.99, "threshold": 0.5}, "canonical_sha256": "b" * 64}
        values["saliency_file"] = default_storage.save(f"saliency/{uuid.uuid4()}.png", ContentFile(saliency_bytes()))
    if study is not None:
        values["image__study"] = study
    analysis: models.Analysis = AnalysisFactory(**(values | fields))
    summary.summarise(analysis.image.study)
    analysis.image.study.refresh_from_db()
    return analysis
