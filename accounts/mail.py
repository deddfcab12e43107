"""Whether e-mail leaves this installation, what becomes of a message where none does, and mail nobody waits for."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

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


# Two hanging mail servers' worth; what comes meanwhile waits, and the limits of the page keep that short.
_pool = ThreadPoolExecutor(2, thread_name_prefix="mail")


def send_unawaited(message: EmailMessage, user_id: str) -> None:
    """Send a message while the request goes on: how long a mail server takes would tell that there is an account.

    A fault is logged without the address. What waits when the process ends is lost: its owner asks again.
    """
    _pool.submit(_send, message, user_id)


def _send(message: EmailMessage, user_id: str) -> None:
    try:
        message.send()
    except Exception as error:
        # Whatever a mail backend raises would tell a stranger that the account exists.
        log.warning("reset_not_mailed", user_id=user_id, error=type(error).__name__)
