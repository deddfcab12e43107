"""The templates of a department's readings: made, changed and retired by its doctors."""

from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from accounts import audit
from accounts.models import User
from accounts.permissions import Action, require
from analyses.errors import Conflict, Invalid, invalid_field
from analyses.models import ReadingTemplate
from analyses.structured_reading.content import Structured
from analyses.structured_reading.findings import Findings
from analyses.structured_reading.services import check_advice

MAX_NAME = 80


@transaction.atomic
def save_template(
    user: User,
    *,
    name: str,
    body_part: str = "",
    findings: Findings,
    impression: str = "",
    recommendation: str = "",
    recommendation_months: int | None = None,
    recommendation_text: str = "",
    template: ReadingTemplate | None = None,
) -> ReadingTemplate:
    """Keep a template of the user's department: a new one, or ``template`` with other contents.

    Raises:
        Invalid: ``bad_field``, ``name_taken``.
        Conflict: ``retired``.
    """
    require(user, Action.MANAGE_TEMPLATES)
    name = " ".join(name.split())
    if not name or len(name) > MAX_NAME:
        why = _("Enter a name of at most %(most)s characters.") % {"most": MAX_NAME}
        raise invalid_field("name", why)
    check_advice(
        Structured(
            recommendation=recommendation,
            recommendation_months=recommendation_months,
            recommendation_text=recommendation_text,
        )
    )
    if template is None:
        template = ReadingTemplate(department=user.department, created_by=user)
    else:
        template = _held(template)
    values: dict[str, Any] = {
        "name": name,
        "body_part": body_part.strip().upper(),
        "findings": findings.to_json(),
        "impression": impression.replace("\r\n", "\n").strip(),
        "recommendation": recommendation,
        "recommendation_months": recommendation_months,
        "recommendation_text": recommendation_text.strip(),
    }
    for field, value in values.items():
        setattr(template, field, value)
    try:
        with transaction.atomic():
            template.save()
    except IntegrityError as error:
        why = _("The department already has a template with this name.")
        raise Invalid("name_taken", why, fields={"name": [why]}) from error
    audit.record("save_template", user=user, obj=template)
    return template


@transaction.atomic
def retire_template(template: ReadingTemplate, user: User) -> None:
    """Offer it no more; readings that it filled stay as they are.

    Raises:
        Conflict: ``retired``.
    """
    require(user, Action.MANAGE_TEMPLATES)
    held = _held(template)
    held.is_active = False
    held.save(update_fields=["is_active", "updated_at"])
    audit.record("retire_template", user=user, obj=held)


def _held(template: ReadingTemplate) -> ReadingTemplate:
    held = ReadingTemplate.objects.select_for_update().get(pk=template.pk)
    if not held.is_active:
        raise Conflict("retired", _("The template has been retired. Create a new one."))
    return held
