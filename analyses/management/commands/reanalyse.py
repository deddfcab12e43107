"""Ask a model again about the films of listed cases; signed cases are left as they are."""

from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from analyses.errors import ServiceError
from analyses.management.uses import add_use_arguments, use_of_options
from analyses.models import Study
from analyses.pipeline.reanalysis import reanalyse_case
from analyses.registry import services as registry
from analyses.registry.uses import IntendedUse


class Command(BaseCommand):
    help = "Queue a new analysis for every film of the given unsigned cases. Earlier answers stay in the record."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("case", nargs="*", help="case id, as in the address of the case page")
        parser.add_argument(
            "--cases", type=Path, metavar="FILE", help="a file with one case id per line (# begins a comment)"
        )
        parser.add_argument("--model", default="", metavar="KEY", help="an installed model (default: the active model)")
        add_use_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        wanted = [*options["case"], *_lines(options["cases"])]
        if not wanted:
            raise CommandError("Give case ids, or a file of case ids with --cases.")
        cases = list(dict.fromkeys(_case_id(text) for text in wanted))
        use = use_of_options(options)
        if options["model"]:
            try:
                registry.require_fit(options["model"], use)
            except ServiceError as error:
                raise CommandError(f"{error.code}: {error.message}") from error
        films = left = 0
        for case_id in cases:
            queued, sentence = self._reanalyse(case_id, options["model"], use)
            films, left = films + queued, left + (not queued)
            self.stdout.write(f"{case_id}: {sentence}")
        self.stdout.write(f"{films} films queued; {left} of {len(cases)} cases left unchanged")

    def _reanalyse(self, case_id: UUID, model: str, use: IntendedUse) -> tuple[int, str]:
        try:
            done = reanalyse_case(case_id, model, use)
        except Study.DoesNotExist:
            return 0, "skipped, the case does not exist"
        except ServiceError as error:
            return 0, f"skipped, {error.code}"
        waiting = f", {done.unfinished} still waiting and left unchanged" if done.unfinished else ""
        return done.queued, f"{done.queued} films queued{waiting}"


def _lines(path: Path | None) -> list[str]:
    if path is None:
        return []
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{path} cannot be read.") from error
    found = [line.split("#")[0].strip() for line in text.splitlines()]
    return [line for line in found if line]


def _case_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise CommandError(f"{text!r} is not a case id. Nothing was queued.") from error
