"""A wrong tag kept a film from the model: a doctor states what the film shows, and the model is asked."""

from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import audit
from accounts.models import User
from analyses.answers.current import closed, current_by_image, keep_warnings
from analyses.errors import Conflict, invalid_fields
from analyses.models import Analysis, Image, Study, Task
from analyses.pipeline import reanalysis, summary
from analyses.record import identity
from analyses.record.cases import lock, require_unsigned
from analyses.record.fields import CaseFields, cleaned, stated_reason
from analyses.record.patients import lock_department
from inference.use import rules
from inference.use.body_parts import outside_by_words


@transaction.atomic
def correct_tags(analysis: Analysis, *, modality: str, body_part_examined: str, reason: str, user: User) -> None:
    """State what a film shows where its tags kept it from the model, and ask the model; the file stays as it is.

    The gate still looks at the film. What was wrong is corrected in the case's details as well, where they say it.

    Raises:
        Invalid: ``bad_field``: no reason, no modality of a plain radiograph, or a body part that is refused as well.
        Conflict: ``case_signed``; ``nothing_to_correct``: no tag keeps the film from the model, or it was asked since.
    """
    said = _corrected(modality, body_part_examined)
    reason = stated_reason(reason)
    lock_department(analysis.department_id)
    study = lock(Study.objects.only("pk").get(images=analysis.image_id).pk)
    require_unsigned(study)
    image = Image.objects.get(pk=analysis.image_id)
    kept_away = [row for row in _current_of(image) if row.reason_code == rules.OUTSIDE_INTENDED_USE]
    if analysis.pk not in {row.pk for row in kept_away}:
        raise Conflict("nothing_to_correct", _("The film's tags do not keep it from the model. Reload the page."))
    image.corrected = said | {"reason": reason, "by": str(user.pk), "at": timezone.now().isoformat()}
    image.save(update_fields=["corrected"])
    _correct_case(study, image, said)
    for row in kept_away:
        _close_questions(row, image, study, said)
        reanalysis.ask_again(row)
    summary.summarise(study, changed=True)
    detail: dict[str, Any] = {"tags": [one["value"] for one in analysis.outside_use], **said, "reason": reason}
    audit.record("correct_tags", user=user, obj=analysis, case_id=study.pk, subject=study.record_number, detail=detail)


def _corrected(modality: str, body_part_examined: str) -> dict[str, str]:
    given = cleaned(CaseFields(modality=modality, body_part_examined=body_part_examined))
    problems = {}
    if given.modality not in rules.RADIOGRAPHS:
        problems["modality"] = [_("The model is meant for plain radiographs: CR, DX or RG.")]
    if not given.body_part_examined or outside_by_words(given.body_part_examined):
        problems["body_part_examined"] = [_("Enter the bone or joint that the film shows, for example KNEE.")]
    if problems:
        raise invalid_fields(problems, _("Some fields are invalid. Correct them, then submit again."))
    return {"modality": given.modality, "body_part_examined": given.body_part_examined}


def _current_of(image: Image) -> list[Analysis]:
    """The current analysis of a film for each task that it was asked for."""
    found: list[Analysis] = []
    for task in Task.values:
        rows = Analysis.objects.of_task(task).filter(image=image).order_by("-created_at", "id")
        found += current_by_image(rows).values()
    return found


def _correct_case(study: Study, image: Image, said: dict[str, str]) -> None:
    """Put right what the case says only because this film's tags or its uploader said so."""
    changed = []
    for name, value in said.items():
        wrong = {image.typed.get(name, ""), image.header.get(name, ""), ""} - {value}
        if getattr(study, name) in wrong:
            setattr(study, name, value)
            changed.append(name)
    study.save(update_fields=changed)


def _close_questions(row: Analysis, image: Image, study: Study, said: dict[str, str]) -> None:
    """The doctor has just answered where the film contradicts the case in what was corrected."""
    found = identity.contradictions(image.typed, image.header, {name: getattr(study, name) for name in said})
    known = identity.merged(row.warnings, found)
    keep_warnings(row, [closed(entry, "edited") if entry.get("field") in said else entry for entry in known])
