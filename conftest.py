"""Environment of the tests: a throw-away home, no throttling, no HTTPS redirect, the shared cast."""

import os
import tempfile
from pathlib import Path

_home = tempfile.mkdtemp(prefix="bonescan-test-")
os.environ.update(
    {
        "BONESCAN_HOME": _home,
        "SECRET_KEY": "only-for-tests-" + "x" * 50,
        "SECURE": "0",
        "PLAIN_STATIC": "1",
        "API_THROTTLE_PER_MINUTE": "0",
        "OMP_NUM_THREADS": "1",
        "EMAIL_URL": "memorymail://",
        "LOG_LEVEL": "WARNING",
    }
)
_data = Path(os.environ.get("BONESCAN_DATA") or Path(__file__).resolve().parent.parent / "shared" / "data")

import pytest  # noqa: E402

pytest_plugins = ["bonescan.tests.cast"]


@pytest.fixture
def data_dir() -> Path:
    """The folder of real images; tests that need it are skipped where it is absent."""
    if not _data.is_dir():
        pytest.skip("the folder of real images is absent (set BONESCAN_DATA)")
    return _data


@pytest.fixture(autouse=True)
def own_files(settings, tmp_path):
    """Each test has its own file store, cache and queue folder."""
    settings.MEDIA_ROOT = tmp_path / "media"
    from django.core.cache import cache

    cache.clear()


@pytest.fixture
def rg3() -> bytes:
    """A real radiograph of a benign bone tumour as DICOM, shipped by the package pydicom-data."""
    from pydicom.data import get_testdata_file

    path = get_testdata_file("RG3_J2KR.dcm", download=False)
    assert path is not None, "pydicom-data ships RG3_J2KR.dcm"
    return Path(path).read_bytes()
