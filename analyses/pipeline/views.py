"""The status page: what an administrator keeps an eye on. No patient data."""

import shutil
from typing import Any

from django.core.files.storage import default_storage
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.permissions import Action, requires
from analyses.models import Stage, Status
from analyses.pipeline import sweeper


@require_safe
@requires(Action.VIEW_STATUS)
def status(request: HttpRequest) -> HttpResponse:
    """Age of the queue, processes last seen, failures by code, room for files."""
    return render(request, "analyses/pipeline/status.html", {"summary": _in_words(), "storage": storage_room()})


def _in_words() -> dict[str, Any]:
    """The figures with stages and states as people call them; codes of failures stay codes."""
    summary = sweeper.status_summary()
    stages = [{"name": Stage(row["name"]).label, "count": row["count"]} for row in summary["by_stage"]]
    ended = {Status(name).label: count for name, count in summary["finished_24h"].items()}
    return summary | {"by_stage": stages, "finished_24h": ended}


def storage_room() -> dict[str, Any]:
    """Free and total bytes where files are kept; object storage has no such number."""
    try:
        usage = shutil.disk_usage(default_storage.path(""))
    except (NotImplementedError, OSError):
        return {"local": False}
    return {
        "local": True,
        "free": usage.free,
        "total": usage.total,
        "used_percent": round(100 * usage.used / usage.total),
    }
