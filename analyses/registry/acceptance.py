"""Whether a department has accepted a model at certain cut-offs: asked by the worker for every film."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from analyses.models import AtSite, SiteAcceptance
from analyses.registry.uses import IntendedUse

LOCAL = "local"
_CUTS = ("tumour", "malignant")


def in_force(department_id: UUID, use: IntendedUse) -> QuerySet[SiteAcceptance]:
    """What a department accepts for a use: several versions and operating points, each once."""
    rows = SiteAcceptance.objects.filter(department_id=department_id, modality=use.modality, task=use.task)
    return rows.filter(withdrawn_at__isnull=True)


def accepted(department_id: UUID, use: IntendedUse, sha256: str, operating_point: str) -> SiteAcceptance | None:
    """What a department accepts of these weights at this operating point of its own choice; one indexed query."""
    return in_force(department_id, use).filter(model_sha256=sha256, operating_point=operating_point).first()


def state_of(acceptance: SiteAcceptance | None, cut_offs: Mapping[str, Any] | None) -> str:
    """Whether an answer at these cut-offs is covered: a card whose cut-offs were changed since is not."""
    if acceptance is None or cut_offs is None:
        return AtSite.NOT_ACCEPTED
    same = all(acceptance.cut_offs.get(name) == cut_offs.get(name) for name in _CUTS)
    return AtSite.ACCEPTED if same else AtSite.NOT_ACCEPTED


def local_cut_offs(acceptance: SiteAcceptance | None) -> dict[str, Any] | None:
    """The cut-offs that the site found for itself, where it accepted those; None where the card's apply."""
    if acceptance is None or acceptance.cut_offs.get("name") != LOCAL:
        return None
    return acceptance.cut_offs
