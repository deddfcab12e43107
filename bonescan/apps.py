"""Wiring, start-up checks and operating commands."""

from django.apps import AppConfig


class BonescanConfig(AppConfig):
    name = "bonescan"
    verbose_name = "BoneScan"

    def ready(self) -> None:
        from bonescan import checks, request_id  # noqa: F401  (registers start-up checks; names requests in answers)
