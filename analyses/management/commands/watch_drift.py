"""Compare what has come since the last window with the reference, as the sweeper does by itself."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from analyses.evidence.drift import services as drift
from analyses.management.uses import add_use_arguments, use_of_options
from analyses.models import DriftSeries
from analyses.registry import services as registry
from inference.errors import WeightsError


class Command(BaseCommand):
    help = "Compare every complete window of films and of signed readings with its reference and raise alarms."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--model", default="", help="<name>-<version>; default: the active model")
        add_use_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        use = use_of_options(options)
        key = options["model"] or registry.active_model(use)
        if not key:
            raise CommandError("No model is active for this modality and task.")
        try:
            registry.folder_of(key)
        except WeightsError as error:
            raise CommandError(error.message) from error
        done = drift.check_windows(key, use)
        self.stdout.write(f"{done} windows compared for {key}")
        for series in DriftSeries.values:
            newest = drift.MonitoredSeries(series, use, key).checks.first()
            for entry in newest.figures if newest else []:
                result = "not tested" if entry["p"] is None else f"adjusted p {entry['adjusted_p']:.4f}"
                self.stdout.write(f"{entry['name']}: {result}{', ALARM' if entry['alarm'] else ''}")
