"""Makes an API token for an account; the token alone is on the last line of the output."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from accounts.errors import Refused
from accounts.models import User
from accounts.services import create_token


class Command(BaseCommand):
    help = "Create an API token. It is printed once, alone on the last line, and stored only as a digest."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--email", required=True, help="e-mail address of the account of the token")
        parser.add_argument("--name", required=True, help="the machine or program that will use the token")
        parser.add_argument("--days", type=int, default=settings.TOKEN_DEFAULT_LIFETIME.days, help="validity in days")

    def handle(self, *args: Any, **options: Any) -> None:
        owner = User.objects.filter(email=options["email"].strip().lower()).first()
        if owner is None:
            raise CommandError("No account has this e-mail address.")
        try:
            expires_at = timezone.now() + timedelta(days=options["days"])
        except OverflowError as error:
            raise CommandError("--days is too large.") from error
        try:
            token, plain = create_token(owner, options["name"], expires_at)
        except Refused as refusal:
            raise CommandError(f"{refusal.message} ({refusal.code})") from refusal
        self.stdout.write(f"Token {token.prefix}… for {owner.email}, valid until {token.expires_at:%Y-%m-%d}:")
        self.stdout.write(plain)
