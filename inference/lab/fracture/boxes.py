"""Outlines as boxes: average precision at an overlap of one half, the footing of the published detectors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from inference.lab.fracture.answers import Box
from inference.prediction import Region

OVERLAP = 0.5
# COCO's 101 recalls (Lin et al. 2014), as the published figures on FracAtlas use them.
_RECALLS = np.linspace(0, 1, 101)


def overlap(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the intersection over union of two boxes x0, y0, x1, y1."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return both / (areas - both)


def average_precision(regions: list[tuple[Region, ...]], boxes: list[list[Box]]) -> float:
    """Return the average precision of the regions' boxes over films, by their probability; nan without a true box.

    Each true box is found at most once, by the most probable region that overlaps it by OVERLAP.
    """
    total = sum(map(len, boxes))
    if not total:
        return float("nan")
    ranked = sorted(
        ((region.probability, film, region.box) for film, own in enumerate(regions) for region in own), reverse=True
    )
    taken: set[tuple[int, int]] = set()
    right = []
    for _, film, box in ranked:
        free = [(overlap(box, true), place) for place, true in enumerate(boxes[film]) if (film, place) not in taken]
        best, place = max(free, default=(0.0, -1))
        if best >= OVERLAP:
            taken.add((film, place))
        right.append(best >= OVERLAP)
    if not right:
        return 0.0
    hits = np.cumsum(right)
    recall, precision = hits / total, hits / np.arange(1, len(right) + 1)
    # The best precision at this recall or beyond it.
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    places = np.searchsorted(recall, _RECALLS, side="left")
    return float(np.mean([envelope[place] if place < len(envelope) else 0.0 for place in places]))
