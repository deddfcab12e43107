"""The log itself: what a row holds, and that rows are only ever added."""

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import DatabaseError, connection, transaction

from accounts import audit
from accounts.models import AuditEvent

pytestmark = pytest.mark.django_db


def test_an_event_holds_who_where_and_on_what_but_not_the_object_itself(doctor, department):
    before = audit.request_context.set(audit.RequestContext("request-1", "192.0.2.1"))
    try:
        audit.record("view_case", user=doctor, obj=department, subject="40123422", detail={"films": 2})
    finally:
        audit.request_context.reset(before)
    event = AuditEvent.objects.get(action="view_case")
    assert (event.user, event.user_label, event.department) == (doctor, doctor.email, department)
    assert (event.object_type, event.object_id) == ("department", str(department.pk))
    assert (event.request_id, event.ip_address, event.subject) == ("request-1", "192.0.2.1", "40123422")


def test_a_stranger_is_known_by_what_he_typed():
    event = audit.record("sign_in_failed", user=AnonymousUser(), user_label="x" * 400, allowed=False)
    assert event.user is None
    assert event.user_label == "x" * 254


def test_what_no_database_keeps_and_nobody_can_read_is_marked_in_the_log():
    event = audit.record("search_cases", user_label="a\x00", subject="b\x1b\ud800", detail={"c\x00": ["d\x00", 1]})
    event.refresh_from_db()
    assert (event.user_label, event.subject) == ("a\ufffd", "b\ufffd\ufffd")
    assert event.detail == {"c\ufffd": ["d\ufffd", 1]}


def test_rows_cannot_be_changed_or_deleted_one_by_one(doctor):
    event = audit.record("view_case", user=doctor)
    event.action = "nothing_happened"
    with pytest.raises(TypeError, match="never changed"):
        event.save()
    with pytest.raises(TypeError, match="never deleted"):
        event.delete()


def test_rows_cannot_be_changed_or_deleted_in_bulk(doctor):
    audit.record("view_case", user=doctor)
    with pytest.raises(TypeError, match="never changed"):
        AuditEvent.objects.all().update(action="nothing_happened")
    with pytest.raises(TypeError, match="never deleted"):
        AuditEvent.objects.all().delete()


@pytest.mark.parametrize(
    "statement", ["UPDATE accounts_auditevent SET allowed = true", "DELETE FROM accounts_auditevent"]
)
def test_postgres_refuses_what_goes_past_the_model(doctor, statement):
    if connection.vendor != "postgresql":
        pytest.skip("SQLite is for trials and has no such trigger")
    audit.record("view_case", user=doctor)
    with (
        pytest.raises(DatabaseError, match="never changed or deleted"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)
    assert AuditEvent.objects.filter(action="view_case").count() == 1


def test_only_auditors_read_it_as_a_log(doctor, administrator, auditor):
    audit.record("view_case", user=doctor)
    assert AuditEvent.objects.for_user(auditor).exists()
    assert not AuditEvent.objects.for_user(doctor).exists()
    assert not AuditEvent.objects.for_user(administrator).exists()
