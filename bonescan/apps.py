"""Wiring, start-up checks and operating commands."""

from django.apps import AppConfig
from django.db.backends.signals import connection_created


class BonescanConfig(AppConfig):
    name = "bonescan"
    verbose_name = "BoneScan"

    def ready(self) -> None:
        from bonescan.backends import database_file

        connection_created.connect(database_file.keep_private)
        # These register the start-up checks and the name of a request in each answer.
        from bonescan import checks  # noqa: F401
        from bonescan.monitoring import request_id  # noqa: F401
