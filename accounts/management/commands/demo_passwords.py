"""The demo accounts of a trial, with random passwords that are printed once and stored only as hashes."""

import secrets
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import transaction

from accounts import audit, sessions
from accounts.models import Department, Role, User
from accounts.services import create_department, create_person

DEPARTMENT, EMPTY_DEPARTMENT = "Orthopaedics", "Radiology"
CAST = (
    ("doctor@example.org", Role.DOCTOR, DEPARTMENT),
    ("clerk@example.org", Role.CLERK, DEPARTMENT),
    ("api@example.org", Role.API_CLIENT, DEPARTMENT),
    ("admin@example.org", Role.ADMINISTRATOR, None),
    ("auditor@example.org", Role.AUDITOR, None),
)


class Command(BaseCommand):
    help = "Create the demo accounts, or set new passwords for existing ones and end their sessions."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="only create missing accounts; do not change passwords")

    def handle(self, *args: Any, **options: Any) -> None:
        with transaction.atomic():
            departments = {name: _department(name) for name in (DEPARTMENT, EMPTY_DEPARTMENT)}
            rows = [
                (email, str(role.label), password)
                for email, role, name in CAST
                if (password := _password_of(email, role, departments.get(name or ""), once=options["once"]))
            ]
        if not rows:
            self.stdout.write("The demo accounts exist. `manage.py demo_passwords` sets new passwords.")
            return
        widths = [max(len(row[column]) for row in rows) for column in range(3)]
        for row in [("E-mail", "Role", "Password"), *rows]:
            self.stdout.write("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def _department(name: str) -> Department:
    return Department.objects.filter(name__iexact=name).first() or create_department(name=name, by=None)


def _password_of(email: str, role: Role, department: Department | None, *, once: bool) -> str | None:
    """The new password of a demo account, or None where it exists and keeps its own."""
    password = "-".join(secrets.token_hex(3) for _ in range(3))
    user = User.objects.filter(email=email).first()
    if user is None:
        create_person(email=email, roles=[role], department=department, by=None, password=password)
        return password
    if once:
        return None
    user.set_password(password)
    user.save(update_fields=["password"])
    sessions.end_all_of(user)
    audit.record("password_changed", obj=user, detail={"by": "demo_passwords"})
    return password
