"""Adds a department from the command line, for a new installation that has no administrator yet."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.errors import Refused
from accounts.services import create_department


class Command(BaseCommand):
    help = "Add a department."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            department = create_department(name=options["name"], by=None)
        except Refused as refusal:
            raise CommandError(refusal.message) from refusal
        self.stdout.write(str(department.pk))
