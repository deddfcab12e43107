"""Wiring of the portal: settings, URLs, the Celery application, start-up checks and logs."""

from bonescan.celery import app as celery_app

__all__ = ["celery_app"]
