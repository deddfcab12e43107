"""Adds an account from the command line, such as the first administrator; prints a link to set the password."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.errors import Refused
from accounts.models import Department, Role
from accounts.services import create_person, password_link


class Command(BaseCommand):
    help = "Add an account. The last line is a link to set its password, valid for one hour."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--email", required=True)
        parser.add_argument("--name", default="")
        parser.add_argument("--role", action="append", required=True, choices=Role.values)
        parser.add_argument("--department", default="", help="name of the department")

    def handle(self, *args: Any, **options: Any) -> None:
        department = Department.objects.filter(name=options["department"]).first()
        if options["department"] and department is None:
            raise CommandError("There is no department with this name. Add it with create_department.")
        try:
            person = create_person(
                email=options["email"], name=options["name"], roles=options["role"], department=department, by=None
            )
        except Refused as refusal:
            raise CommandError(refusal.message) from refusal
        self.stdout.write(f"{person.email} sets a password here:")
        self.stdout.write(password_link(person))
