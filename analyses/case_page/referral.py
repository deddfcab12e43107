"""Referral to the bone tumour centre: one click makes the archive and hands it out; it stays to be had again."""

from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from accounts import audit
from accounts.gate import in_scope
from accounts.permissions import Action, requires
from accounts.views.caller import caller
from analyses.blinding.case_state import CaseState
from analyses.case_page.views import film_of, render_case
from analyses.errors import ServiceError
from analyses.models import Referral
from analyses.record.cases import CASES
from analyses.referral import services as referral_services


@require_POST
@requires(Action.READ_CASE)
def case_refer(request: HttpRequest, study_id: UUID) -> HttpResponse:
    """Make the archive, or find that of this state of the case, and lead to its download."""
    study = in_scope(request, CASES, study_id)
    try:
        referral = referral_services.refer(study, caller(request))
    except ServiceError as error:
        return render_case(request, study, wanted=film_of(request), status=error.status, refusal=error)
    return redirect("analyses:referral_download", referral.pk)


@require_safe
@requires(Action.READ_CASE)
def referral_download(request: HttpRequest, referral_id: UUID) -> HttpResponse:
    """An archive as it was made. A colleague's may hold the model's answer: it is hidden while that is."""
    user = caller(request)
    referral = in_scope(request, Referral.objects.select_related("study__patient"), referral_id)
    study = referral.study
    if not visible(CaseState(study, user)).filter(pk=referral.pk).exists():
        raise Http404
    try:
        content = referral_services.archive_bytes(referral)
    except ServiceError as error:
        return render_case(request, study, status=error.status, refusal=error)
    audit.record(
        "download_referral",
        user=user,
        obj=referral,
        case_id=study.pk,
        subject=study.record_number,
    )
    response = HttpResponse(content, content_type="application/zip")
    response["Content-Disposition"] = f'attachment; filename="referral-{referral.made_at:%Y-%m-%d}-{referral.pk}.zip"'
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, no-store"
    return response


def visible(state: CaseState) -> QuerySet[Referral]:
    """The referrals of a case that this user may know of.

    While the answer is hidden, those that the user made without it; while the user owes a second reading, the same.
    """
    rows = Referral.objects.filter(study=state.study).select_related("made_by")
    if state.is_blind:
        return rows.filter(made_by=state.user, with_answer=False)
    return rows.filter(made_by=state.user) if state.hides_first_reading else rows
