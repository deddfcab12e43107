"""What tests share: five roles in one department, a doctor of another who must see nothing, and a signed case."""

import pytest

from accounts.models import Department, User
from accounts.services import create_token
from accounts.tests.factories import DepartmentFactory, UserFactory
from analyses.models import Study
from analyses.reading import services as reading
from analyses.tests.factories import ADVISED, StudyFactory, result


@pytest.fixture
def department(db) -> Department:
    return DepartmentFactory(name="Orthopaedics")


@pytest.fixture
def other_department(db) -> Department:
    return DepartmentFactory(name="Radiology")


@pytest.fixture
def doctor(department) -> User:
    return UserFactory(email="doctor@example.org", department=department, roles=["doctor"])


@pytest.fixture
def second_doctor(other_department) -> User:
    """A doctor of the other department."""
    return UserFactory(email="second@example.org", department=other_department, roles=["doctor"])


@pytest.fixture
def clerk(department) -> User:
    return UserFactory(email="clerk@example.org", department=department, roles=["clerk"])


@pytest.fixture
def api_client(department) -> User:
    return UserFactory(email="api@example.org", department=department, roles=["api_client"])


@pytest.fixture
def administrator(db) -> User:
    return UserFactory(email="admin@example.org", department=None, roles=["administrator"])


@pytest.fixture
def auditor(db) -> User:
    return UserFactory(email="auditor@example.org", department=None, roles=["auditor"])


@pytest.fixture
def token(api_client) -> str:
    """The text of a token of the API client."""
    return create_token(api_client, "test", None)[1]


@pytest.fixture
def other_token(other_department) -> str:
    """The text of a token of the other department's API client."""
    owner = UserFactory(email="other-api@example.org", department=other_department, roles=["api_client"])
    return create_token(owner, "test", None)[1]


@pytest.fixture
def signed(department, doctor) -> Study:
    """A case whose answer is malignant, read so and signed."""
    study = StudyFactory(owner=department)
    result("malignant", study=study)
    reading.save_reading(study, user=doctor, reading="malignant", structure=ADVISED)
    reading.sign(study, doctor)
    return study


@pytest.fixture
def quick_pdf(monkeypatch) -> None:
    """Reports are stored without being drawn."""
    monkeypatch.setattr(
        "analyses.reports.content.render",
        lambda report, review, analyses, further=None: b"%PDF-1.7 " + report.pk.bytes,
    )
