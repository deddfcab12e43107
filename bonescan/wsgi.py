"""The web process's entry point. It never imports torch: only the worker does."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bonescan.settings")
application = get_wsgi_application()
