"""Everything ``make run`` needs before the processes start; safe to repeat, changes no existing data."""

from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Migrate, collect static files, create the demo accounts and analyse one sample film (each only once)."

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("migrate", verbosity=0)
        if settings.PLAIN_STATIC:
            settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)
        else:
            call_command("collectstatic", interactive=False, verbosity=0)
        if not get_user_model().objects.exists():
            call_command("demo_passwords", stdout=self.stdout)
        call_command("analyze_sample", stdout=self.stdout)
