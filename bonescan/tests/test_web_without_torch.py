"""The web process stays small: only the worker pays for torch."""

from bonescan.tests.processes import python

START = """
import sys
import bonescan.wsgi
from django.urls import get_resolver
addresses = get_resolver().reverse_dict.keys()
assert len(addresses) > 5
HEAVY = {"torch", "torchvision", "gdcm", "scipy", "sklearn"}
print(sorted(HEAVY & sys.modules.keys()))
"""


def test_the_web_process_with_all_its_addresses_never_imports_torch(tmp_path):
    done = python(START, BONESCAN_HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip() == "[]"
