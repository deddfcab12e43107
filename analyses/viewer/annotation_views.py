"""What the viewer asks about measurements, as JSON: the list of a film, a new one, and one taken back."""

import json
from typing import Any
from uuid import UUID

from django.http import HttpRequest, JsonResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.gate import in_scope
from accounts.permissions import Action, requires
from analyses.answers import measurement
from analyses.blinding.case_state import CaseState
from analyses.errors import Invalid, ServiceError
from analyses.models import Analysis, Annotation
from analyses.record.cases import is_signed
from analyses.viewer import annotations

FILMS = Analysis.objects.select_related("image__study__patient")
ANNOTATIONS = Annotation.objects.select_related("image__study", "author")
MAX_BODY_BYTES = 64 * 1024


@require_safe
@requires(Action.VIEW_CASES)
def film_annotations(request: HttpRequest, analysis_id: UUID) -> JsonResponse:
    """The measurements of a film that nobody withdrew, and that the reader may see now."""
    image = in_scope(request, FILMS, analysis_id).image
    user: Any = request.user
    return JsonResponse({"annotations": [as_json(one) for one in annotations.shown_to(user, image)]})


@require_POST
@requires(Action.READ_CASE)
def annotation_add(request: HttpRequest, analysis_id: UUID) -> JsonResponse:
    """Keep one: ``{kind, points, label}``; answers with it and its figures."""
    image = in_scope(request, FILMS, analysis_id).image
    user: Any = request.user
    try:
        body = _body(request)
        asked = {name: body.get(name, "") for name in ("kind", "points", "label")}
        return JsonResponse(as_json(annotations.add(image, user, **asked)), status=201)
    except ServiceError as error:
        return _refused(error)


@require_POST
@requires(Action.READ_CASE)
def annotation_withdraw(request: HttpRequest, annotation_id: UUID) -> JsonResponse:
    """Take one back."""
    annotation = in_scope(request, ANNOTATIONS, annotation_id)
    user: Any = request.user
    if annotation.author_id != user.pk and not CaseState(annotation.image.study, user).sees_model:
        # What somebody who is blind does not see, that person cannot take back either.
        return _refused(ServiceError("not_found", _("There is no such measurement."), status=404))
    try:
        return JsonResponse({"id": str(annotations.withdraw(annotation, user).pk)})
    except ServiceError as error:
        return _refused(error)


def as_json(annotation: Annotation) -> dict[str, Any]:
    """One measurement as the viewer takes it; ``withdraw`` is empty where it belongs to a signed report."""
    frozen = is_signed(annotation.image.study) and not annotation.after_signature
    return {
        "id": str(annotation.pk),
        "kind": annotation.kind,
        "points": annotation.points,
        "label": annotation.label,
        "text": measurement.words(annotation),
        "short": measurement.short_words(annotation),
        "author": str(annotation.author),
        "created": date_format(timezone.localtime(annotation.created_at), "SHORT_DATETIME_FORMAT"),
        "after_signature": annotation.after_signature,
        "withdraw": "" if frozen else reverse("analyses:annotation_withdraw", args=[annotation.pk]),
    }


def _body(request: HttpRequest) -> dict[str, Any]:
    """The request's JSON object; raises Invalid ``bad_json``."""
    try:
        body = json.loads(request.body) if len(request.body) <= MAX_BODY_BYTES else None
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise Invalid("bad_json", _("The viewer sent invalid data. Reload the page."))
    return body


def _refused(error: ServiceError) -> JsonResponse:
    return JsonResponse({"code": error.code, "detail": error.message, "fields": error.fields}, status=error.status)
