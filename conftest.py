"""What all tests share: the cast, a file store of their own, the folder of real images."""

import os
from pathlib import Path

import pytest

_data = Path(os.environ.get("BONESCAN_DATA") or Path(__file__).resolve().parent.parent / "shared" / "data")

pytest_plugins = [
    "bonescan.tests.cast",
    "analyses.tests.dicom_files",
    "analyses.tests.fakes",
    "analyses.tests.monitored_films",
    "analyses.tests.uses",
]


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


@pytest.fixture(autouse=True)
def mail_at_once(monkeypatch):
    """Mail that no request waits for is sent before the request's test goes on."""
    from accounts import mail

    class AtOnce:
        def submit(self, call, *arguments):
            call(*arguments)

    monkeypatch.setattr(mail, "_pool", AtOnce())


@pytest.fixture
def rg3() -> bytes:
    """A real radiograph of a benign bone tumour as DICOM, shipped by the package pydicom-data."""
    from pydicom.data import get_testdata_file

    path = get_testdata_file("RG3_J2KR.dcm", download=False)
    assert path is not None, "pydicom-data ships RG3_J2KR.dcm"
    return Path(path).read_bytes()
