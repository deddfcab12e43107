"""Parts of the case page that belong to the reading and depend on who looks at it."""

from typing import Any

from django import template

from accounts.permissions import Action, may
from analyses.blinding.case_state import CaseState
from analyses.case_page.referral import visible
from analyses.models import Reading
from analyses.referral import services as referral

register = template.Library()


@register.filter
def reading_name(code: str) -> str:
    """A reading inside a sentence, in the language of the page."""
    return str(Reading(code).label).lower() if code else ""


@register.inclusion_tag("analyses/case_page/_refer.html", takes_context=True)
def refer_section(context: Any) -> dict[str, Any]:
    """The button that refers a suspicious case, and the archives made before; nothing where there is neither."""
    state: CaseState = context["state"]
    known = referral.shown_reading(state, context["review"])
    offered = may(context["request"].user, Action.READ_CASE) and referral.is_suspicious(state, known)
    return {
        "study": context["study"],
        "analysis": context["analysis"],
        "csrf_token": context.get("csrf_token"),
        "may_refer": offered,
        "referrals": list(visible(state)),
        "tumour_centre": context["portal"].tumour_centre if offered else "",
    }
