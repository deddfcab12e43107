"""Commands for the operator."""

import io
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts.models import ApiToken, Department, User
from accounts.services import authenticate_token
from accounts.tests.factories import UserFactory

pytestmark = pytest.mark.django_db


def run(*words: str) -> list[str]:
    out = io.StringIO()
    call_command(*words, stdout=out)
    return out.getvalue().splitlines()


def test_the_token_stands_alone_on_the_last_line(api_client):
    lines = run("create_api_token", "--email", "API@example.org", "--name", "gateway", "--days", "7")
    assert authenticate_token(lines[-1]).user == api_client
    remaining = ApiToken.objects.get().expires_at - timezone.now()
    assert timedelta(days=6, hours=23) < remaining <= timedelta(days=7)


def test_a_token_lasts_a_year_unless_told_otherwise(api_client):
    run("create_api_token", "--email", api_client.email, "--name", "gateway")
    assert (ApiToken.objects.get().expires_at - timezone.now()).days in (364, 365)


@pytest.mark.parametrize(
    ("fields", "days", "reason"),
    [
        (None, "7", "No account"),
        ({"roles": ["api_client"], "is_active": False}, "7", "deactivated"),
        ({"roles": ["clerk"]}, "7", "The roles of this account"),
        ({"roles": ["api_client"]}, "0", "in the past"),
        ({"roles": ["api_client"]}, "99999999", "too large"),
    ],
)
def test_no_token_and_a_reason_where_none_can_be_made(fields, days, reason):
    if fields is not None:
        UserFactory(email="x@example.org", **fields)
    with pytest.raises(CommandError, match=reason):
        run("create_api_token", "--email", "x@example.org", "--name", "gateway", "--days", days)
    assert not ApiToken.objects.exists()


def passwords(lines: list[str]) -> dict[str, str]:
    return {line.split()[0]: line.split()[-1] for line in lines[1:]}


def test_the_demo_cast_is_made_with_passwords_that_work():
    shown = passwords(run("demo_passwords"))
    assert list(shown) == [
        "doctor@example.org",
        "clerk@example.org",
        "api@example.org",
        "admin@example.org",
        "auditor@example.org",
    ]
    for email, password in shown.items():
        assert User.objects.get(email=email).check_password(password)
    assert len(set(shown.values())) == 5
    assert {row.name for row in Department.objects.all()} == {"Orthopaedics", "Radiology"}
    assert User.objects.get(email="doctor@example.org").department.name == "Orthopaedics"


def test_a_second_run_makes_new_passwords_and_no_new_accounts():
    before, after = passwords(run("demo_passwords")), passwords(run("demo_passwords"))
    assert User.objects.count() == 5
    doctor = User.objects.get(email="doctor@example.org")
    assert not doctor.check_password(before["doctor@example.org"])
    assert doctor.check_password(after["doctor@example.org"])


def test_once_changes_no_password():
    shown = passwords(run("demo_passwords"))
    assert "exist" in run("demo_passwords", "--once")[0]
    assert User.objects.get(email="doctor@example.org").check_password(shown["doctor@example.org"])


def test_departments_and_the_first_administrator_can_be_made_without_the_pages():
    run("create_department", "Bone and joint")
    with pytest.raises(CommandError, match="already exists"):
        run("create_department", "bone and joint")
    lines = run(
        "create_person", "--email", "first@example.org", "--role", "administrator", "--role", "doctor",
        "--department", "Bone and joint",
    )  # fmt: skip
    assert "/accounts/password/reset/key/" in lines[-1]
    assert User.objects.get().roles == {"administrator", "doctor"}
    with pytest.raises(CommandError, match="no department"):
        run("create_person", "--email", "second@example.org", "--role", "doctor", "--department", "Nowhere")
