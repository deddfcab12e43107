"""Template tags of a case page's reader, its second readings, and of a user's choices about notifications."""

from typing import Any

from django import template

from analyses.case_page.assignment import assignment_context
from analyses.models import Reading
from analyses.reading import second_reading
from analyses.worklist.forms import AnswerForm, AskForm, HandOverForm

register = template.Library()
READINGS = dict(Reading.choices)


@register.inclusion_tag("analyses/case_page/_assignment.html", takes_context=True)
def case_assignment(context: Any) -> dict[str, Any]:
    """Whose work the case on the page is, who else has it open, and what can be done about it."""
    user, study = context["request"].user, context["study"]
    form = context.get("hand_over_form") or HandOverForm(user=user)
    return assignment_context(study, user) | {"hand_over_form": form, "csrf_token": context.get("csrf_token")}


@register.inclusion_tag("analyses/case_page/_second_readings.html", takes_context=True)
def second_readings(context: Any) -> dict[str, Any]:
    """The question that the user is asked, or the answers and questions of the case with the form that asks."""
    user, study = context["request"].user, context["study"]
    rows = second_reading.shown_second_readings(context["state"])
    mine = next((row for row in rows if row.is_open and row.reader_id == user.pk), None)
    for row in rows:
        row.may_withdraw = row.is_open and second_reading.may_withdraw(row, study, user)
    return {
        "study": study,
        "asked_of_me": mine,
        "rows": [row for row in rows if row.withdrawn_at is None] if mine is None else [],
        "answer_form": context.get("answer_form") or AnswerForm(),
        "ask_form": context.get("ask_form") or AskForm(user=user),
        "may_ask": mine is None and study.reading_state not in ("final", "amended"),
        "csrf_token": context.get("csrf_token"),
    }


@register.filter
def reading_word(code: str) -> str:
    """A reading in words."""
    return str(READINGS.get(code, code))
