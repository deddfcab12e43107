"""Parts of the case page that belong to the reading and depend on who looks at it."""

from typing import Any

from django import template

from accounts.models import User
from accounts.permissions import Action, may
from accounts.services import portal_settings
from analyses.blinding.rules import sees_model
from analyses.case_page.referral import visible
from analyses.models import Analysis, Reading, Review, Study
from analyses.referral import services as referral

register = template.Library()


@register.filter
def reading_name(code: str) -> str:
    """A reading inside a sentence, in the language of the page."""
    return str(Reading(code).label).lower() if code else ""


@register.inclusion_tag("analyses/case_page/_refer.html", takes_context=True)
def refer_section(context: Any, study: Study, review: Review | None, analysis: Analysis | None) -> dict[str, Any]:
    """The button that refers a suspicious case, and the archives made before; nothing where there is neither."""
    user: User = context["request"].user
    seen = sees_model(user, study)
    known = referral.shown_reading(review, user, seen)
    offered = may(user, Action.READ_CASE) and referral.is_suspicious(study, known, user, model_seen=seen)
    return {
        "study": study,
        "analysis": analysis,
        "csrf_token": context.get("csrf_token"),
        "may_refer": offered,
        "referrals": list(visible(user, study)),
        "tumour_centre": portal_settings().tumour_centre,
    }
