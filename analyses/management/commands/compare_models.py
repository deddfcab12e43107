"""Ask two installed models about the same stored films, here and now."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from analyses.answers.tasks import SOUGHT, outcomes_of
from analyses.errors import ServiceError
from analyses.management.uses import add_use_arguments, use_of_options
from analyses.models import ComparisonStatus
from analyses.pipeline import comparison


class Command(BaseCommand):
    help = "Compare two installed models on the newest stored films; the result is also kept for the page Models."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("a", help="key of the first model, e.g. bonescan-paper-cnn-1.0.1")
        parser.add_argument("b", help="key of the second model")
        parser.add_argument("--cases", type=int, default=100, metavar="N", help="how many of the newest films")
        add_use_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        use = use_of_options(options)
        try:
            made = comparison.request_comparison(
                options["a"], options["b"], films=options["cases"], by=None, use=use, wake=False
            )
        except ServiceError as error:
            raise CommandError(f"{error.code}: {error.message}") from error
        while comparison.run_slice(made.pk):
            pass
        made.refresh_from_db()
        if made.status != ComparisonStatus.SUCCEEDED:
            raise CommandError(made.error_message or "The comparison was ended by another process.")
        found = made.result
        self.stdout.write(f"{found['films']} films, {found['same']} with the same outcome, {found['missing']} missing")
        self.stdout.write(f"rows: {made.model_a}; columns: {made.model_b}")
        words = [value for value, _ in outcomes_of(made.task)]
        self.stdout.write(" ".join(f"{word:>15}" for word in ("", *words)))
        for outcome, counts in zip(words, found["matrix"], strict=True):
            self.stdout.write(" ".join(f"{cell:>15}" for cell in (outcome, *counts)))
        if found["differences"]:
            gaps = found["differences"]
            what = f"P({SOUGHT[made.task][0]}), second less first"
            self.stdout.write(f"{what}: median {gaps['median']:+.3f}, largest {gaps['largest']:.3f}")
        for flip in found["flips"]:
            self.stdout.write(f"{flip['analysis']}: {flip['a']} -> {flip['b']}")
