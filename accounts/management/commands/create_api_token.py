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
    help = "Make an API token. It is printed once, alone on the last line, and stored only as a digest."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--email", required=True, help="the account that the token acts for")
        parser.add_argument("--name", required=True, help="which machine or program will use it")
        parser.add_argument(
            "--days", type=int, default=settings.TOKEN_DEFAULT_LIFETIME.days, help="how long it is valid"
        )

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
