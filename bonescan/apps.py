"""Wiring, start-up checks and operating commands."""

from django.apps import AppConfig


class BonescanConfig(AppConfig):
    name = "bonescan"
    verbose_name = "BoneScan"

    def ready(self) -> None:
        from bonescan import checks  # noqa: F401  (registers the start-up checks)
