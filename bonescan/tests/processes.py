"""Fresh interpreters with their own settings, for what is decided when the portal starts."""

import os
import subprocess
import sys
from pathlib import Path

from django.conf import settings

ROOT = Path(settings.BASE_DIR)
KEY = "for-fresh-interpreters-" + "0123456789" * 4


def python(code: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run code in a fresh interpreter; nothing of this process's settings reaches it."""
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "DJANGO_SETTINGS_MODULE": "bonescan.settings",
            "SECRET_KEY": KEY,
            "PLAIN_STATIC": "1",
            **environment,
        },
        capture_output=True,
        text=True,
    )


def manage(*words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run one management command in a fresh interpreter."""
    return python(
        f"from django.core.management import execute_from_command_line as run; run({['manage.py', *words]!r})",
        **environment,
    )
