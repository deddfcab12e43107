"""Measurements and drawn regions: kept with their author, withdrawn openly, never changed."""

from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import audit
from accounts.models import User
from accounts.permissions import Action, require
from analyses.answers import measurement
from analyses.blinding.case_state import CaseState
from analyses.errors import Conflict, Invalid, ServiceError, invalid_field
from analyses.models import Annotation, AnnotationKind, Image, Study
from analyses.record import cases, storage
from analyses.record.fields import is_plain_line
from analyses.reports import services as reports

MAX_LABEL, MAX_POINTS, MAX_PER_FILM = 80, 500, 200
POINTS = {
    AnnotationKind.LENGTH: (2, 2),
    AnnotationKind.ANGLE: (3, 3),
    AnnotationKind.RECTANGLE: (2, 2),
    AnnotationKind.ELLIPSE: (2, 2),
    AnnotationKind.FREEHAND: (3, MAX_POINTS),
}


def add(image: Image, user: User, *, kind: Any, points: Any, label: Any = "") -> Annotation:
    """Keep a measurement; its figures are computed here, from the geometry and the film.

    After the signature it is kept as well, but is no part of the signed report.

    Raises:
        Invalid: ``bad_field``; ``empty_region``: it holds no pixel.
        Conflict: ``not_decoded``; ``too_many``: the film has MAX_PER_FILM already.
        ServiceError: ``film_missing`` (500): its values are gone from the file store.
    """
    require(user, Action.READ_CASE)
    if not image.canonical_file:
        raise Conflict("not_decoded", _("The film is not decoded yet. Wait until it is shown, then measure."))
    chosen, places, text = _kind(kind), _points(kind, points), _label(label)
    values, unit = _figures(image, chosen, places)
    with transaction.atomic():
        study = cases.lock(Image.objects.values_list("study", flat=True).get(pk=image.pk))
        if image.annotations.not_withdrawn().count() >= MAX_PER_FILM:
            raise Conflict(
                "too_many",
                _("The film already has %(most)s measurements. Withdraw some first.") % {"most": MAX_PER_FILM},
            )
        signed = cases.is_signed(study)
        annotation = Annotation.objects.create(
            image=image,
            author=user,
            kind=chosen,
            points=places,
            values=values,
            value_unit=unit,
            spacing_source=image.spacing_source,
            label=text,
            after_signature=signed,
        )
        _case_changes(study, signed)
        _record("add_annotation", annotation, study, user)
    return annotation


@transaction.atomic
def withdraw(annotation: Annotation, user: User) -> Annotation:
    """Take a measurement back; the record keeps it, with who withdrew it and when.

    Raises:
        Conflict: ``case_signed``: it belongs to the signed report; ``already_withdrawn``.
    """
    require(user, Action.READ_CASE)
    study = cases.lock(Image.objects.values_list("study", flat=True).get(pk=annotation.image_id))
    current = Annotation.objects.select_for_update().get(pk=annotation.pk)
    if current.withdrawn_at is not None:
        raise Conflict("already_withdrawn", _("The measurement has already been withdrawn."))
    if cases.is_signed(study) and not current.after_signature:
        raise Conflict("case_signed", _("The measurement belongs to the signed report. Correct it in an addendum."))
    current.withdrawn_at, current.withdrawn_by = timezone.now(), user
    current.save(update_fields=["withdrawn_at", "withdrawn_by"])
    _case_changes(study, current.after_signature)
    _record("withdraw_annotation", current, study, user)
    return current


def shown_to(user: User, image: Image) -> list[Annotation]:
    """The measurements of a film that nobody withdrew, and that a user may see now.

    Whoever must not see the model's answer yet sees only own ones: a colleague may have measured what it outlined. So
    does whoever is asked for a second reading, until it is given.
    """
    rows = Annotation.objects.for_user(user).not_withdrawn().filter(image=image).select_related("author")
    state = CaseState(image.study, user)
    return list(rows.filter(author=user) if state.is_blind or state.hides_first_reading else rows)


def _kind(kind: Any) -> str:
    if kind not in AnnotationKind.values:
        raise invalid_field("kind", _("Choose a measuring tool."))
    return str(kind)


def _points(kind: str, points: Any) -> list[list[float]]:
    """Fractions of the film, as many as the shape takes."""
    least, most = POINTS[AnnotationKind(kind)]
    if not isinstance(points, list) or not least <= len(points) <= most:
        raise invalid_field("points", _("The shape has too few or too many points. Draw it again."))
    for point in points:
        if not isinstance(point, list) or len(point) != 2 or not all(_is_fraction(part) for part in point):
            raise invalid_field("points", _("The shape extends beyond the film. Draw it again."))
    return [[float(x), float(y)] for x, y in points]


def _is_fraction(part: Any) -> bool:
    return isinstance(part, int | float) and not isinstance(part, bool) and 0 <= part <= 1


def _label(label: Any) -> str:
    text = " ".join(label.split()) if isinstance(label, str) else ""
    if not isinstance(label, str) or len(text) > MAX_LABEL or not is_plain_line(text):
        raise invalid_field(
            "label", _("At most %(most)s characters, without control characters.") % {"most": MAX_LABEL}
        )
    return text


def _figures(image: Image, kind: str, points: list[list[float]]) -> tuple[dict[str, float], str]:
    if kind not in measurement.REGIONS:
        values = measurement.measure_line(kind, points, image)
        if not any(values.values()):
            raise Invalid("empty_region", _("The points coincide. Draw the shape again."))
        return values, ""
    try:
        stored = storage.read(image.display_file or image.canonical_file)
    except FileNotFoundError as error:
        missing = _("The film is missing from the file store. Ask the operator to restore it from a backup.")
        raise ServiceError("film_missing", missing, status=500) from error
    values, unit = measurement.measure_region(kind, points, image, stored)
    if not values:
        raise Invalid("empty_region", _("The region contains no pixels. Draw a larger region."))
    return values, unit


def _case_changes(study: Study, after_signature: bool) -> None:
    """A report shows what was measured before the signature, so the next one is a new one."""
    if not after_signature:
        cases.touch(study)
        reports.supersede_reports(study)


def _record(action: str, annotation: Annotation, study: Study, user: User) -> None:
    subject = study.record_number
    detail = {"kind": annotation.kind, "after_signature": annotation.after_signature}
    audit.record(action, user=user, obj=annotation, case_id=study.pk, subject=subject, detail=detail)
