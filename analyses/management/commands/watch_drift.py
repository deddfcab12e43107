"""Compare what has come since the last window with the reference, as the sweeper does by itself."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from analyses.evidence.drift import services as drift
from analyses.models import DriftCheck, WatchSeries
from analyses.registry import services as registry
from inference.errors import WeightsError


class Command(BaseCommand):
    help = "Compare every complete window of films and of signed readings with its reference, and raise alarms."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--model", default="", help="<name>-<version>; default: the model in force")

    def handle(self, *args: Any, **options: Any) -> None:
        key = options["model"] or registry.active_model()
        try:
            registry.folder_of(key)
        except WeightsError as error:
            raise CommandError(error.message) from error
        done = drift.watch(key)
        self.stdout.write(f"{done} windows compared for {key}")
        for series in WatchSeries.values:
            newest = DriftCheck.objects.filter(series=series, model_key=key).first()
            for entry in newest.figures if newest else []:
                result = "not tested" if entry["p"] is None else f"adjusted p {entry['adjusted_p']:.4f}"
                self.stdout.write(f"{entry['name']}: {result}{', ALARM' if entry['alarm'] else ''}")
