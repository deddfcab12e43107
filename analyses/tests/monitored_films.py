"""Answered films of which the shipped card's reference distributions are true, for tests of drift monitoring."""

from datetime import timedelta

import numpy as np
import pytest
from django.utils import timezone

from analyses.models import Analysis, Image, Study
from analyses.registry.services import default_model
from analyses.tests.factories import StudyFactory

KEY = default_model()
START = timezone.now() - timedelta(days=3)


class Films:
    """Makes answered films of the active model, one second after the other."""

    def __init__(self, base: Study) -> None:
        self.base, self.made = base, 0
        self.rng = np.random.default_rng(8)
        self.seconds = 0

    def add(self, n, *, grey=0.0, withheld=0.339, key=KEY, part="KNEE", size=4.0, patient=None, **fields):
        """Films of which the card's reference is true, each of a case without patient: somebody else's.

        Args:
            grey: shifts them by that many grey values.
            patient: whose they all are.
        """
        rng, base = self.rng, self.base
        studies = [
            Study(department=base.department, patient=patient, created_by=base.created_by, modality="DX",
                  body_part_examined=part, reading_state="unread", status="succeeded")
            for _ in range(n)
        ]  # fmt: skip
        Study.objects.bulk_create(studies)
        films = [Image(study=study, original_sha256="a" * 64, original_size_bytes=1) for study in studies]
        Image.objects.bulk_create(films)
        cuts, name = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0), key.rpartition("-")
        rows = []
        for film in films:
            self.seconds += 1

            def draw(quantiles):
                return float(np.interp(rng.random(), cuts, quantiles))

            chance = draw((0, 0.0001, 0.0004, 0.0023, 0.0087, 0.0429, 0.6803, 0.9684, 1))
            out = bool(rng.random() < withheld)
            leaning = str(rng.choice(["normal", "benign", "malignant"], p=(0.5382, 0.3201, 0.1417)))
            stats = {
                "grey_mean": grey + draw((10, 22.1901, 33.4001, 52.0439, 64.8018, 79.582, 113.0763, 153.9346, 200)),
                "grey_spread": draw((10, 19.8162, 32.0581, 47.3677, 55.1061, 61.8227, 71.9043, 79.2928, 90)),
                "megapixels": size,
            }
            rows.append(
                Analysis(
                    image=film, department=base.department, requested_by=base.created_by, status="succeeded",
                    stage="done", queued_at=START, finished_at=START + timedelta(seconds=self.seconds),
                    outcome="withheld" if out else leaning, withheld_reasons=["unstable"] if out else [],
                    leaning=leaning, malignant_probability=chance, model_name=name[0], model_version=name[2],
                    distance=draw((0.6, 0.7033, 0.7487, 0.8453, 0.9452, 1.0813, 1.3152, 1.5364, 2)),
                    input_stats=stats, **{"modality": "DX"} | fields,
                )
            )  # fmt: skip
        Analysis.objects.bulk_create(rows)
        return rows


def signed_cases(doctor, n: int) -> list[Study]:
    """Final cases of this doctor with one answered image each, which no window of images counts."""
    mine = {"department": doctor.department, "created_by": doctor}
    studies = Study.objects.bulk_create([Study(**mine, reading_state="final") for _ in range(n)])
    images = Image.objects.bulk_create(
        [Image(study=study, original_sha256="a" * 64, original_size_bytes=1) for study in studies]
    )
    Analysis.objects.bulk_create(
        [
            Analysis(image=image, department=doctor.department, requested_by=doctor, queued_at=START, modality="DX")
            for image in images
        ]
    )
    return studies


@pytest.fixture
def films(doctor) -> Films:
    """Films, made as a test asks for them."""
    return Films(StudyFactory(owner=doctor.department, created_by=doctor))
