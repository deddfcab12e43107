"""Which use a page of the models is about: named in its address or form, else tumours on radiographs."""

from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from analyses.errors import Invalid
from analyses.registry import services as registry
from analyses.registry.uses import TUMOUR_ON_RADIOGRAPHS, IntendedUse


def use_of_request(request: HttpRequest) -> IntendedUse:
    """The use that a request names by ``modality`` and ``task``; 404 for one that no model may be registered for."""
    said = request.POST if request.method == "POST" else request.GET
    modality, task = TUMOUR_ON_RADIOGRAPHS
    try:
        return registry.require_use(said.get("modality", modality), said.get("task", task))
    except Invalid as error:
        raise Http404 from error


def use_context(use: IntendedUse, page: str) -> dict[str, Any]:
    """What ``_uses.html`` and ``_use_fields.html`` need; uses are only named where there are several.

    Args:
        page: the name of the URL that shows another use.
    """
    uses = registry.shown_uses()
    tabs = [{"use": one, "url": address(page, one), "current": one == use} for one in uses]
    return {"use": use, "use_tabs": tabs if len(uses) > 1 else []}


def address(name: str, use: IntendedUse) -> str:
    """The address of a page about this use; tumours on radiographs are what it is about without a word."""
    words = "" if use == TUMOUR_ON_RADIOGRAPHS else "?" + urlencode(use._asdict())
    return reverse(name) + words


def back_to(name: str, use: IntendedUse) -> HttpResponse:
    """Send the browser to a page about this use."""
    return redirect(address(name, use))
