"""Whether e-mail leaves this installation, and what becomes of a message where none does."""

from collections.abc import Sequence

import structlog
from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend

log = structlog.get_logger(__name__)
DROPPED = "accounts.mail.DroppedMail"
# Django's console backend would write links that set a password into the log; settings put DROPPED in its place.
_SENDS_NOTHING = (DROPPED, "console.EmailBackend", "dummy.EmailBackend")


class DroppedMail(BaseEmailBackend):
    """Sends nothing and says so in the log; no address, subject or text of a message stands there."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Drop the messages; none was sent."""
        for _message in email_messages:
            log.info("mail_dropped")
        return 0


def mail_is_sent() -> bool:
    """Whether e-mail leaves this machine."""
    return not settings.EMAIL_BACKEND.endswith(_SENDS_NOTHING)
