"""JSON logs that carry the request id into the worker and never hold patient data.

Callers log an event name and ids; values that could name a person are dropped here as a second line.
"""

from typing import Any

import structlog

# Keys that could carry a person's identity or a file name; whatever is logged under them is blanked.
PRIVATE_KEYS = frozenset(
    {"patient_id", "patient_name", "patient_birth_date", "filename", "file_name", "email", "query", "request"}
)


def blank_private_values(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    """Structlog processor: blank every value under a private key. ``request`` holds the path with its query."""
    for key in PRIVATE_KEYS & event.keys():
        if key == "request":
            event[key] = str(event[key]).split("?")[0]
        else:
            event[key] = "[private]"
    return event


SHARED_PROCESSORS: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    blank_private_values,
    structlog.processors.format_exc_info,
]


def logging_config(level: str) -> dict[str, Any]:
    """The dictConfig for all processes: one JSON object a line on standard error."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {
                "()": structlog.stdlib.ProcessorFormatter,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    structlog.processors.JSONRenderer(),
                ],
                "foreign_pre_chain": SHARED_PROCESSORS,
            }
        },
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {"handlers": ["console"], "level": level},
        "loggers": {
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
