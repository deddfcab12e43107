"""The outcome's section of the case page."""

from typing import Any

from django import template
from django.template.context import Context
from django.utils.translation import get_language

from analyses.answers.wording import subtype_word
from analyses.evidence.outcomes import services as outcomes
from analyses.evidence.outcomes.forms import OutcomeForm
from analyses.record.cases import is_signed
from analyses.registry import services as registry

register = template.Library()


@register.filter
def inside(label: str) -> str:
    """A label inside a sentence: in small letters, except in German, whose nouns keep their capital."""
    return str(label) if (get_language() or "").startswith("de") else str(label).lower()


@register.inclusion_tag("analyses/evidence/outcomes/_outcome.html", takes_context=True)
def outcome_section(context: Context) -> dict[str, Any]:
    """What became of the case, its earlier versions, and the form; nothing before the signature."""
    study = context["study"]
    if not is_signed(study):
        return {"signed": False}
    versions = outcomes.history(study)
    current = versions[0] if versions else None
    form = context.get("outcome_form") or OutcomeForm(current=current)
    return {
        "signed": True,
        "study": study,
        "analysis": context.get("analysis"),
        "current": current,
        "earlier": versions[1:],
        "form": form,
        "subtypes": [subtype_word(name) for name in registry.subtypes()],
        "csrf_token": context.get("csrf_token"),
    }
