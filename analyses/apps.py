"""The clinical record."""

from django.apps import AppConfig


class AnalysesConfig(AppConfig):
    name = "analyses"
    verbose_name = "Clinical record"

    def ready(self) -> None:
        # Models may be imported only now.
        from accounts import audit
        from analyses.blinding import rules as blinding

        audit.hide_details_of(blinding.hidden_from)
