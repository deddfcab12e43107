"""The Celery application. A message only wakes a worker; the work itself is a row in the database."""

import os

from celery import Celery
from django_structlog.celery.steps import DjangoStructLogInitStep

from bonescan.backends import file_queue

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bonescan.settings")
file_queue.install()

app = Celery("bonescan")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.steps["worker"].add(DjangoStructLogInitStep)
app.autodiscover_tasks()

from bonescan import worker  # noqa: E402, F401  (connects what a worker does beside its tasks)
