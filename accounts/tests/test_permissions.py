"""The table role x action."""

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied

from accounts.models import AuditEvent, Role
from accounts.permissions import ALLOWED, Action, may, require
from accounts.tests.factories import UserFactory

# What the founding issue says of each role, written down a second time on purpose.
PATIENT_DATA = {
    Action.VIEW_CASES,
    Action.UPLOAD,
    Action.EDIT_CASE,
    Action.READ_CASE,
    Action.EXPORT_CASES,
    Action.DOWNLOAD_ANY_REPORT,
    Action.DOWNLOAD_SIGNED_REPORTS,
    Action.USE_API,
}


def test_every_role_has_a_row():
    assert set(ALLOWED) == set(Role.values)


def test_every_action_is_allowed_to_somebody():
    assert set().union(*ALLOWED.values()) == set(Action)


@pytest.mark.parametrize("role", [Role.ADMINISTRATOR, Role.AUDITOR])
def test_administrators_and_auditors_reach_no_patient_data(role):
    assert not ALLOWED[role] & PATIENT_DATA


def test_clerks_download_signed_reports_and_nothing_else_of_patients():
    assert ALLOWED[Role.CLERK] & PATIENT_DATA == {Action.DOWNLOAD_SIGNED_REPORTS}


def test_only_doctors_read_cases():
    assert [role for role, actions in ALLOWED.items() if Action.READ_CASE in actions] == [Role.DOCTOR]


def test_only_auditors_read_the_log():
    assert [role for role, actions in ALLOWED.items() if Action.VIEW_AUDIT_LOG in actions] == [Role.AUDITOR]


def test_only_administrators_choose_the_model():
    assert [role for role, actions in ALLOWED.items() if Action.MANAGE_MODELS in actions] == [Role.ADMINISTRATOR]


@pytest.mark.django_db
def test_several_roles_add_up():
    both = UserFactory(roles=["administrator", "doctor"])
    assert may(both, Action.MANAGE_PEOPLE)
    assert may(both, Action.VIEW_CASES)
    assert not may(both, Action.VIEW_AUDIT_LOG)


@pytest.mark.django_db
def test_a_deactivated_account_may_nothing():
    gone = UserFactory(roles=[role.value for role in Role], is_active=False)
    assert not any(may(gone, action) for action in Action)


def test_a_stranger_may_nothing():
    assert not any(may(AnonymousUser(), action) for action in Action)


@pytest.mark.django_db
def test_a_refusal_is_recorded(clerk):
    with pytest.raises(PermissionDenied):
        require(clerk, Action.UPLOAD)
    event = AuditEvent.objects.get(action="access_denied")
    assert (event.user, event.allowed, event.detail) == (clerk, False, {"needs": "upload"})
