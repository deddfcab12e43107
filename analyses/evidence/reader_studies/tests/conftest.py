"""What the tests of this room share: an open reader study of four cases, one of its readers, and their browsers."""

from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from analyses.evidence.reader_studies.tests import signed_in, started
from analyses.models import ReaderStudy, ReaderStudyReader


@pytest.fixture
def reader_study(administrator: User, department: Any) -> ReaderStudy:
    return started(department, administrator, cases=4, readers=2)


@pytest.fixture
def reader(reader_study: ReaderStudy) -> ReaderStudyReader:
    return reader_study.readers.select_related("user", "reader_study").earliest("number")


@pytest.fixture
def page(reader: ReaderStudyReader) -> Client:
    """The reader's browser."""
    return signed_in(reader.user)


@pytest.fixture
def admin(administrator: User) -> Client:
    """The administrator's browser."""
    return signed_in(administrator)
