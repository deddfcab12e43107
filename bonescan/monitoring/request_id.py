"""Every answer names its request, so that a person can quote what the logs and the audit log know it by."""

from typing import Any

import structlog
from django.dispatch import receiver  # noqa: TID251 (writes a header, not a row)
from django.http import HttpResponse
from django_structlog.signals import bind_extra_request_finished_metadata, update_failure_response

HEADER = "X-Request-ID"


@receiver([bind_extra_request_finished_metadata, update_failure_response])
def name_the_request(response: HttpResponse, **_: Any) -> None:
    """Put the id under which this request was logged into its answer."""
    response[HEADER] = structlog.contextvars.get_contextvars()["request_id"]
