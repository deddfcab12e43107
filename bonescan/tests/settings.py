"""The portal's settings for tests: a throw-away home, no throttling, no HTTPS redirect, mail kept in memory."""

import os
import tempfile

os.environ.update(
    {
        "BONESCAN_HOME": tempfile.mkdtemp(prefix="bonescan-test-"),
        "SECRET_KEY": "only-for-tests-" + "x" * 50,
        "SECURE": "0",
        "PLAIN_STATIC": "1",
        "API_THROTTLE_PER_MINUTE": "0",
        "OMP_NUM_THREADS": "1",
        "EMAIL_URL": "memorymail://",
        "LOG_LEVEL": "WARNING",
    }
)

from bonescan.settings import *  # noqa: F403

# WhiteNoise warns where nothing was collected, and warnings are errors.
STATIC_ROOT.mkdir(exist_ok=True)  # noqa: F405

# Tests run side by side, and each begins with an empty cache: one of its own for every process.
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}

# scripts/t brings a database whose tables are made.
if os.environ.get("TEST_DATABASE"):
    DATABASES["default"]["TEST"] = {"NAME": os.environ["TEST_DATABASE"]}  # noqa: F405
