"""Wiring, start-up checks and operating commands."""

from django.apps import AppConfig


class BonescanConfig(AppConfig):
    name = "bonescan"
    verbose_name = "BoneScan"

    def ready(self) -> None:
        # These register the start-up checks and the name of a request in each answer.
        from bonescan import checks  # noqa: F401
        from bonescan.monitoring import request_id  # noqa: F401
