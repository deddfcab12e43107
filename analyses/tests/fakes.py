"""A decoder and a model that say what a test wants, and a film analysed with them."""

from dataclasses import replace
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
from django.core.files.base import ContentFile

from analyses.intake import services as intake
from analyses.intake.services import CaseFields
from analyses.models import Analysis
from analyses.pipeline import running
from analyses.registry import services as registry
from analyses.tests.factories import png_bytes
from inference.card import ModelIdentity
from inference.imaging.canonical import canonical_sha256, encode_png
from inference.imaging.display import pack, values_of
from inference.prediction import Gate, Prediction, Region

GREY = np.arange(64 * 80, dtype=np.uint32).reshape(80, 64).astype(np.uint8)
DEEP = np.arange(160 * 128, dtype=np.uint16).reshape(160, 128) % 4096


class FakeDecoder:
    """Answers every film with the same image, and says of it what a test wants."""

    def __init__(self) -> None:
        self.identity, self.warnings, self.modality, self.use = {}, [], "", {}
        self.error: Exception | None = None

    def decode(self, data):
        if self.error:
            raise self.error
        meta = {
            "format": "png",
            "width_px": 128,
            "height_px": 160,
            "identity": self.identity,
            "modality": self.modality,
            "use": {"modality": self.modality or self.identity.get("modality", "")} | self.use,
        }
        meta |= {"pixel_spacing_mm": [0.1, 0.1], "spacing_source": "calibrated", "warnings": self.warnings}
        values = values_of(DEEP, bits=12)
        meta |= {"display": values.facts}
        digest = canonical_sha256(GREY)
        return SimpleNamespace(
            grey=GREY, png=encode_png(GREY), canonical_sha256=digest, meta=meta, values=pack(values.array)
        )


class FakePredictor:
    """Finds the same malignant tumour on every film."""

    error: Exception | None = None
    calls = 0
    during = staticmethod(lambda: None)
    identity = ModelIdentity("m", "1", "f" * 64)
    card = {"operating_points": {"balanced": {"name": "balanced", "malignant": 0.3, "tumour": 0.5}}}

    def predict(self, canonical, *, on_stage, explain=True, operating_point=None):
        for stage in ("checking", "classifying", "explaining"):
            on_stage(stage)
        point = operating_point.as_dict() if operating_point else self.card["operating_points"]["balanced"]
        self.calls += 1
        self.during()
        if self.error:
            raise self.error
        return Prediction(
            outcome="malignant",
            probabilities={"normal": 0.1, "benign": 0.2, "malignant": 0.7},
            operating_point=dict(point),
            gate=Gate(analysable=True, score=0.99, threshold=0.5, reason_code=""),
            model=self.identity,
            preprocessing_version="1",
            canonical_sha256=canonical_sha256(canonical),
            saliency=np.full((7, 7), 200, np.uint8),
            timings_ms={"checking": 1.0, "classifying": 2.0, "explaining": 3.0},
        )


class FakeFracturePredictor(FakePredictor):
    """Finds the same fracture on every film."""

    card: ClassVar[dict] = {
        "modality": ["DX"],
        "task": "fracture",
        "operating_points": {"balanced": {"name": "balanced", "finding": 0.4, "chosen_on": "nothing"}},
    }
    identity = ModelIdentity("second", "1", "e" * 64)

    def predict(self, canonical, *, on_stage=lambda _stage: None, explain=True, operating_point=None):
        found = super().predict(canonical, on_stage=on_stage, explain=explain)
        return replace(
            found,
            outcome="fracture",
            leaning="fracture",
            probabilities={"no_fracture": 0.2, "fracture": 0.8},
            operating_point={"name": "balanced", "finding": 0.4, "chosen_on": "nothing"},
            prediction_set=("fracture",),
            regions=(Region(((0.2, 0.2), (0.4, 0.2), (0.4, 0.4)), (0.2, 0.2, 0.4, 0.4), 0.02, 0.9),),
            model=self.identity,
            saliency=None,
        )


@pytest.fixture
def decoder(monkeypatch):
    known = {"decoder": FakeDecoder(), "predictors": {registry.default_model(): FakePredictor()}}
    monkeypatch.setattr(running, "_process", known)
    return running._process["decoder"]


@pytest.fixture
def predictor(decoder):
    return running._process["predictors"][registry.default_model()]


@pytest.fixture
def analyse(doctor, decoder):
    """Post a film and run its analysis; returns the row as it is afterwards."""
    seeds = iter(range(1000))

    def run(fields=None, **options) -> Analysis:
        upload = ContentFile(png_bytes(seed=next(seeds)), name="x")
        fields = CaseFields() if fields is None else fields
        posted = intake.submit_image(**{"user": doctor, "token": None, "upload": upload, "fields": fields} | options)
        assert running.run(posted.analysis.pk, "w")
        return Analysis.objects.select_related("image__study__patient").get(pk=posted.analysis.pk)

    return run
