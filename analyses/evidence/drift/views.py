"""The administrator's page of drift monitoring: figures, alarms and their answers, holds. No patient data."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render  # noqa: TID251 (no department owns an alarm)
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST, require_safe

from accounts.permissions import Action, requires
from analyses.errors import ServiceError
from analyses.evidence.drift import services as drift_services
from analyses.evidence.drift.figures import monitored_figures
from analyses.evidence.drift.forms import AlarmForm
from analyses.model_pages.holds import hold_context
from analyses.model_pages.uses import back_to, use_context, use_of_request
from analyses.models import DriftAlarm, DriftCheck
from analyses.registry import services as registry
from analyses.registry.uses import IntendedUse
from analyses.stored_words import bin_words, figure_word

SHOWN_ANSWERED = 50
# The drawing of one figure's windows, in units of its viewBox; a PSI of 0.25 is held for a large change.
WIDTH, HEIGHT, LARGE_PSI = 120, 26, 0.25
SOURCES = {"card": _("card"), "local": _("first films of this site"), "accepted": _("accepted at this site")}


@require_safe
@requires(Action.MANAGE_MODELS)
def drift(request: HttpRequest) -> HttpResponse:
    """Every monitored figure against its reference, and the alarms."""
    return _page(request)


@require_POST
@requires(Action.MANAGE_MODELS)
def alarm_acknowledge(request: HttpRequest, alarm_id: UUID) -> HttpResponse:
    """Answer an alarm with what was found."""
    alarm = get_object_or_404(DriftAlarm.objects.select_related("check_row"), pk=alarm_id)
    form = _form(alarm, request.POST)
    status = 400
    if form.is_valid():
        try:
            drift_services.acknowledge(alarm, **form.cleaned_data, user=request.user)  # type: ignore[arg-type]
        except ServiceError as error:
            status = error.status
            form.add_error("reason" if "reason" in error.fields else None, error.message)
        else:
            messages.success(request, gettext("Alarm acknowledged."))
            return back_to("analyses:drift", _use(alarm))
    return _page(request, refused=(alarm, form), status=status)


def _page(request: HttpRequest, refused: tuple[DriftAlarm, AlarmForm] | None = None, status: int = 200) -> HttpResponse:
    use = _use(refused[0]) if refused else use_of_request(request)
    key = registry.active_model(use)
    alarms = DriftAlarm.objects.filter(check_row__modality=use.modality, check_row__task=use.task)
    alarms = alarms.select_related("check_row", "acknowledged_by")
    open_alarms = list(alarms.filter(acknowledged_at__isnull=True))
    context = {
        "key": key,
        "series": [_series(entry, use.task) for entry in drift_services.state(key, use)],
        "open": [
            {"alarm": alarm, "form": refused[1] if refused and refused[0].pk == alarm.pk else _form(alarm)}
            for alarm in open_alarms
        ],
        "refused": refused[1] if refused and refused[0].pk not in {alarm.pk for alarm in open_alarms} else None,
        "answered": alarms.filter(acknowledged_at__isnull=False).order_by("-acknowledged_at")[:SHOWN_ANSWERED],
        "window": drift_services.WINDOW,
        "local": drift_services.LOCAL,
        "level_percent": round(100 * drift_services.LEVEL),
        **hold_context(use),
        **use_context(use, "analyses:drift"),
    }
    return render(request, "analyses/evidence/drift/drift.html", context, status=status)


def _use(alarm: DriftAlarm) -> IntendedUse:
    return IntendedUse(alarm.check_row.modality, alarm.check_row.task)


def _form(alarm: DriftAlarm, data: Any = None) -> AlarmForm:
    return AlarmForm(data, name=f"alarm_{alarm.pk}")


def _series(entry: dict[str, Any], task: str) -> dict[str, Any]:
    checks: list[DriftCheck] = entry["checks"]
    rows = [_row(figure.name, figure.group, checks) for figure in monitored_figures(entry["series"], task)]
    return entry | {"rows": rows, "last": checks[-1] if checks else None}


def _row(name: str, group: str, checks: list[DriftCheck]) -> dict[str, Any]:
    history = [next((figure for figure in check.figures if figure["name"] == name), None) for check in checks]
    newest = history[-1] if history else None
    row: dict[str, Any] = {"name": figure_word(name), "group": figure_word(group), "entry": newest}
    row["line"] = _line(history)
    if newest:
        row["source"] = SOURCES.get(newest["source"], newest["source"])
        row["change"] = _largest_change(newest)
    return row


def _largest_change(entry: dict[str, Any]) -> dict[str, Any] | None:
    """The bin whose share moved most, ``{"joint": True}`` where there are no bins; None where nothing was tested."""
    if entry["p"] is None:
        return None
    if not entry["bins"]:
        return {"joint": True}
    triples = list(zip(entry["bins"], entry["reference"], entry["observed"], strict=True))
    label, before, now = max(triples, key=lambda triple: abs(triple[2] - triple[1]))
    return {"bin": bin_words(label), "before": round(100 * before), "now": round(100 * now)}


def _line(history: list[dict[str, Any] | None]) -> dict[str, Any] | None:
    """Points of the stability index over the windows; None until a window was tested."""
    tested = [(place, figure) for place, figure in enumerate(history) if figure and figure["p"] is not None]
    if not tested:
        return None
    top = max(LARGE_PSI, *(figure["psi"] for _, figure in tested))
    step = WIDTH / max(1, len(history) - 1)
    points = [
        {
            "x": round(place * step, 1),
            "y": round(HEIGHT - 3 - (HEIGHT - 6) * max(0.0, figure["psi"]) / top, 1),
            "alarm": figure["alarm"],
        }
        for place, figure in tested
    ]
    return {
        "points": points,
        "path": " ".join(f"{point['x']},{point['y']}" for point in points),
        "alarms": sum(figure["alarm"] for _, figure in tested),
        "windows": len(points),
        "width": WIDTH,
        "height": HEIGHT,
    }
