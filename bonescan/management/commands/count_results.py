"""Counts for the fault measurement and for an operator's sanity check after an outage."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db.models import Count

from accounts.models import AuditEvent
from analyses.models import Analysis


class Command(BaseCommand):
    help = "Count analyses by status, and analyses whose result was stored more than once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        by_status = dict(Analysis.objects.order_by().values_list("status").annotate(n=Count("id")))
        stored = AuditEvent.objects.filter(action="result").order_by().values("object_id").annotate(n=Count("id"))
        counts = {
            "analyses": sum(by_status.values()),
            "by_status": by_status,
            "double_results": stored.filter(n__gt=1).count(),
        }
        self.stdout.write(json.dumps(counts) if options["json"] else "\n".join(f"{k}: {v}" for k, v in counts.items()))
