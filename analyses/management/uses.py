"""The options by which commands about models say which modality and task they are about."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from analyses.errors import Invalid
from analyses.registry import services as registry
from analyses.registry.uses import TUMOUR_ON_RADIOGRAPHS, IntendedUse


def add_use_arguments(parser: CommandParser) -> None:
    """Take ``--modality`` and ``--task``."""
    modality, task = TUMOUR_ON_RADIOGRAPHS
    parser.add_argument("--modality", default=modality, help=f"of the model (default: {modality}, plain radiographs)")
    parser.add_argument("--task", default=task, help=f"of the model (default: {task})")


def use_of_options(options: dict[str, Any]) -> IntendedUse:
    """The use that the options name; CommandError for one that no model may be registered for."""
    try:
        return registry.require_use(options["modality"], options["task"])
    except Invalid as error:
        raise CommandError(f"{error.code}: {error.message}") from error
