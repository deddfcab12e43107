"""How films of other sources come into a batch, and how often a lesion or a piece of healthy bone is moved."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mixing:
    """`foreign` films of each batch come from tumour-free sources, all sources alike often; the others are the split's.

    Shares are per film: a foreign or an own normal film gets a lesion (`lesion_...`) or else healthy bone of any film
    (`healthy_...`), an own tumour film gets healthy bone beside its tumour (`healthy_tumour`). `malignant` of the moved
    lesions are malignant; within a class each subtype counts by the square root of its films.
    """

    foreign: int = 10
    lesion_foreign: float = 0.45
    lesion_own: float = 0.12
    healthy_foreign: float = 0.25
    healthy_own: float = 0.2
    healthy_tumour: float = 0.15
    malignant: float = 0.35
