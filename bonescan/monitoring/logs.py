"""JSON logs that carry the request id into the worker and never hold patient data.

Callers log an event name and ids; values that could name a person are dropped here as a second line.
"""

import sys
import traceback
from typing import Any

import structlog

# Keys that could carry a person's identity or a file name; whatever is logged under them is blanked.
PRIVATE_KEYS = frozenset(
    {"patient_id", "patient_name", "patient_birth_date", "filename", "file_name", "email", "query", "request"}
)

# A failure that breeds others is traced back this many steps.
TRACED_CAUSES = 3


def blank_private_values(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    """Structlog processor: blank every value under a private key. ``request`` holds the path with its query."""
    for key in PRIVATE_KEYS & event.keys():
        if key == "request":
            event[key] = str(event[key]).split("?")[0]
        else:
            event[key] = "[private]"
    return event


def exception_without_values(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    """Structlog processor: the trace of a logged exception, with its types and code lines but not its message.

    A database quotes the row that broke a rule, a parser the text it could not read: that text may be a patient's name.
    """
    exc_info = event.pop("exc_info", None)
    error = exc_info[1] if isinstance(exc_info, tuple) else exc_info
    if error is True:
        error = sys.exc_info()[1]
    if isinstance(error, BaseException):
        event["exception"] = "\n".join(_trace(error, TRACED_CAUSES))
        event.pop("error", None)  # django-structlog adds the message under this key
    return event


def _trace(error: BaseException, causes: int) -> list[str]:
    earlier = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    before = [*_trace(earlier, causes - 1), "led to:"] if earlier is not None and causes else []
    frames = "".join(traceback.format_tb(error.__traceback__)).rstrip()
    return [
        *before,
        *([frames] if frames else []),
        f"{type(error).__module__}.{type(error).__qualname__}{_hint(error)}",
    ]


def _hint(error: BaseException) -> str:
    """What may be said of an error beyond its type: its code or errno, or text that can only name code."""
    if isinstance(error, NameError | AttributeError | ImportError):
        return f": {error}"
    for attribute in ("code", "sqlstate", "errno"):
        value = getattr(error, attribute, None)
        if isinstance(value, str | int):
            return f": {attribute} {value}"
    return ""


SHARED_PROCESSORS: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    blank_private_values,
    exception_without_values,
]


def json_formatter() -> structlog.stdlib.ProcessorFormatter:
    """One JSON object a line, for records of structlog and of plain logging alike."""
    return structlog.stdlib.ProcessorFormatter(
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(),
        ],
        foreign_pre_chain=SHARED_PROCESSORS,
    )


def logging_config(level: str) -> dict[str, Any]:
    """The dictConfig for all processes: one JSON object a line on standard error."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": json_formatter}},
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {"handlers": ["console"], "level": level},
        "loggers": {
            # No e-mail to administrators: it would carry the form that failed.
            "django": {"level": level},
            # django-structlog says "task_failed" with a trace; Celery's own line quotes the exception's message.
            "celery.app.trace": {"level": "CRITICAL"},
            "django.server": {"handlers": ["console"], "level": "WARNING", "propagate": False},
            "weasyprint": {"level": "ERROR"},
            "fontTools": {"level": "ERROR"},
            "pydicom": {"level": "ERROR"},
        },
    }


def structlog_config() -> None:
    """Configure structlog to hand its events to standard logging."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *SHARED_PROCESSORS,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
