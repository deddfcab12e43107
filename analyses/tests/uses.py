"""A second modality and a second task for tests: the program has no model in force for either."""

from typing import Any

import pytest

from analyses.models import Analysis, ModelActivation
from analyses.registry import uses
from analyses.registry.uses import RADIOGRAPHS, IntendedUse
from analyses.tests.factories import result
from inference.card import ModelIdentity

SECOND = ("magnetic", "fracture")


@pytest.fixture
def magnetic(monkeypatch) -> IntendedUse:
    """Tumours on magnetic resonance images, as if the program had a place for their model."""
    monkeypatch.setitem(uses.GROUPS, "MR", "Magnetic resonance (MR)")
    return IntendedUse("MR", "tumour")


@pytest.fixture
def fracture() -> IntendedUse:
    """Fractures on radiographs: nothing answers until a model is activated."""
    return IntendedUse(RADIOGRAPHS, "fracture")


@pytest.fixture
def second(request) -> IntendedUse:
    """One of the two, by its name: ``@pytest.mark.parametrize("second", SECOND, indirect=True)``."""
    return request.getfixturevalue(request.param)


def put_in_force(use: IntendedUse, key: str, by: Any) -> ModelActivation:
    """Activate a model that need not lie on disk."""
    values = {"model_key": key, "model_sha256": "e" * 64, "previous": "", "reason": "first"}
    return ModelActivation.objects.create(modality=use.modality, task=use.task, activated_by=by, **values)


def answer_of(use: IntendedUse, outcome: str = "malignant", **fields: Any) -> Analysis:
    """An answered image of this use."""
    return result(outcome, modality=use.modality, task=use.task, **fields)


def identity_of(key: str) -> ModelIdentity:
    name, _, version = key.rpartition("-")
    return ModelIdentity(name, version, "e" * 64)
