"""Tells doctors what concerns them: in the portal and by e-mail, as each of them chose.

Neither place says what the model answered, and a mail says nothing of the patient either: only that a case waits.
"""

from collections.abc import Iterable, Mapping
from uuid import UUID

import structlog
from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction
from django.db.models import Q
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext_lazy as _

from accounts import audit
from accounts.languages import language_of_user
from accounts.models import User
from accounts.permissions import Action, may
from analyses.blinding.case_state import CaseState
from analyses.blinding.rules import hidden_cases, reads_first
from analyses.models import Analysis, Notification, NotificationChoice, NotificationKind, Review, SecondReading, Study
from analyses.models.querysets import NotificationQuerySet

log = structlog.get_logger(__name__)
# (in the portal, by e-mail) until the user says otherwise: only what somebody waits for is also mailed.
DEFAULTS: dict[str, tuple[bool, bool]] = {
    NotificationKind.ASSIGNED: (True, True),
    NotificationKind.TAKEN_OVER: (True, False),
    NotificationKind.SECOND_ASKED: (True, True),
    NotificationKind.SECOND_ANSWERED: (True, False),
    NotificationKind.AMENDED: (True, False),
    NotificationKind.ANALYSIS_FAILED: (True, False),
    NotificationKind.LATE_ANSWER: (True, True),
}
SUBJECT = _("BoneScan: a case is waiting")


def notify(kind: str, study: Study, users: Iterable[User | None], *, by: User | None) -> None:
    """Tell these users, inside the caller's transaction; mails leave once it is kept.

    Whoever did it, who may no longer read the case and who is not there any more is told nothing.
    """
    wanted = {user.pk: user for user in users if user is not None}
    told = [user for user in wanted.values() if (by is None or user.pk != by.pk) and may_be_notified(user, study)]
    for user in told:
        in_portal, by_mail = choices_of(user)[kind]
        if in_portal:
            Notification.objects.create(user=user, kind=kind, study=study, actor=by)
        if by_mail:
            _mail_on_commit(user, study.pk)


def may_be_notified(user: User, study: Study) -> bool:
    """Whether the user is an active doctor of the case's department."""
    return may(user, Action.READ_CASE) and user.department_id == study.department_id


def amended(study: Study, *, by: User) -> None:
    """Tell those who read the case that its report was amended."""
    review = Review.objects.filter(study_id=study.pk).select_related("reader").first()
    answered = SecondReading.objects.filter(study_id=study.pk, answered_at__isnull=False).select_related("reader")
    case = Study.objects.select_related("assigned_to").get(pk=study.pk)
    users = [case.assigned_to, review.reader if review else None, *(second.reader for second in answered)]
    notify(NotificationKind.AMENDED, case, users, by=by)


def analysis_failed(analysis: Analysis) -> None:
    """Tell who asked for the analysis and who reads the case; whoever is blind to its answer learns nothing."""
    case = Study.objects.select_related("assigned_to").get(pk=analysis.image.study_id)
    users = [case.assigned_to, User.objects.get(pk=analysis.requested_by_id)]
    seeing = [user for user in users if user is not None and CaseState(case, user).sees_model]
    notify(NotificationKind.ANALYSIS_FAILED, case, seeing, by=None)


def late_answer(study: Study) -> None:
    """Tell who signed the case that a film was answered afterwards; once, until that is read."""
    review = Review.objects.filter(study_id=study.pk).select_related("reader").first()
    if review is None:
        return
    told = Notification.objects.filter(user=review.reader, study_id=study.pk, kind=NotificationKind.LATE_ANSWER)
    if not told.filter(read_at__isnull=True).exists():
        notify(NotificationKind.LATE_ANSWER, Study.objects.get(pk=study.pk), [review.reader], by=None)


def choices_of(user: User) -> dict[str, tuple[bool, bool]]:
    """Where the user wants to be told of each kind: (in the portal, by e-mail)."""
    rows = NotificationChoice.objects.filter(user=user)
    return DEFAULTS | {row.kind: (row.in_portal, row.by_mail) for row in rows}


@transaction.atomic
def choose(user: User, choices: Mapping[str, tuple[bool, bool]]) -> None:
    """Keep the user's choices; kinds that are not named stay as they are."""
    for kind in NotificationKind.values:
        if kind in choices:
            in_portal, by_mail = choices[kind]
            values = {"in_portal": in_portal, "by_mail": by_mail}
            NotificationChoice.objects.update_or_create(user=user, kind=kind, defaults=values)
    audit.record("choose_notifications", user=user, detail={"kinds": sorted(choices)})


def visible_to(user: User) -> NotificationQuerySet:
    """The user's notifications; none that would tell a blind reader how an analysis ended."""
    rows: NotificationQuerySet = Notification.objects.for_user(user)
    if reads_first(user):
        hidden = Study.objects.filter(hidden_cases(user)).values("pk")
        rows = rows.exclude(Q(kind=NotificationKind.ANALYSIS_FAILED) & Q(study__in=hidden))
    return rows


def mark_read(user: User, *, notification_id: UUID | None = None, study_id: UUID | None = None) -> int:
    """Mark one, those of a case, or all of the user's notifications as read; returns how many were not."""
    rows = Notification.objects.filter(user=user, read_at__isnull=True)
    if notification_id is not None:
        rows = rows.filter(pk=notification_id)
    if study_id is not None:
        rows = rows.filter(study_id=study_id)
    return rows.update(read_at=timezone.now())


def _mail_on_commit(user: User, study_id: UUID) -> None:
    link = settings.PUBLIC_URL + reverse("analyses:case", args=[study_id])
    transaction.on_commit(lambda: _mail(user, link), robust=True)


def _mail(user: User, link: str) -> None:
    with translation.override(language_of_user(user)):
        text, subject = render_to_string("analyses/notifications/email/case_waits.txt", {"link": link}), str(SUBJECT)
    try:
        send_mail(subject, text, settings.DEFAULT_FROM_EMAIL, [user.email])
    except Exception as error:
        # Whatever a mail backend raises: what the mail tells of is kept, and stands in the portal.
        log.warning("notification_not_mailed", user_id=str(user.pk), error=type(error).__name__)
