"""The asynchronous web process's entry point. It never imports torch: only the worker does."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bonescan.settings")
application = get_asgi_application()
