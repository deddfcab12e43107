"""Server time of the worklist with 5,000 cases: first, filtered and last page, the next case, the export.

    scripts/with_services .venv/bin/python -m bench.worklist

The pages are asked for through every middleware in one process, without a network and without a browser; the database
is the temporary Postgres of ``with_services``. Wall and CPU time are medians in ms; CPU is that of the web process
alone, which other work on the machine disturbs less.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path
from typing import Any

ADDRESSES = {
    "first page, by priority": "/cases/",
    "filtered: malignant, unread": "/cases/?outcome=malignant&reading=unread",
    "filtered: body part, age, sex, unassigned": "/cases/?body_part=KNEE&age=young&sex=F&assigned=unassigned",
    "search by record number": "/cases/?q=R004",
    "last page, by suspicion": "/cases/?order=-suspicion&page=100",
    "rows of the poll": "/cases/rows/",
}
PARTS = ("KNEE", "HIP", "HAND", "TIBIA", "HUMERUS", "FEMUR")
OUTCOMES = ("normal", "benign", "malignant", "withheld", "not_analysable")


def start_django(home: str) -> None:
    """The portal's own settings against the database that the environment names."""
    if not os.environ.get("DATABASE_URL"):
        raise SystemExit("no DATABASE_URL; run: scripts/with_services .venv/bin/python -m bench.worklist")
    os.environ.update(
        {
            "BONESCAN_HOME": home,
            "SECRET_KEY": "only-for-measuring-" + os.urandom(32).hex(),
            "SECURE": "0",
            "PLAIN_STATIC": "1",
            "LOG_LEVEL": "ERROR",
            "ALLOWED_HOSTS": "testserver",
            "DJANGO_SETTINGS_MODULE": "bonescan.settings",
        }
    )
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)


def fill(count: int) -> Any:
    """A department with this many cases of one film each, one in a hundred still waiting; returns its doctor."""
    from django.utils import timezone

    from accounts.models import Department, RoleAssignment, User
    from analyses.models import Analysis, Image, Patient, ReadingState, Study

    department = Department.objects.create(name="Bench")
    doctors = [User.objects.create_user(f"doctor{n}@example.org", department=department) for n in range(4)]
    for doctor in doctors:
        RoleAssignment.objects.create(user=doctor, role="doctor")
    now, states = timezone.now(), ReadingState.values
    patients = [
        Patient(
            department=department, patient_id=f"R{n:06d}", patient_name=f"PATIENT {n:06d}",
            patient_birth_date=date(1930 + n % 90, 1 + n % 12, 1 + n % 28), patient_sex="MF"[n % 2],
        )
        for n in range(count)
    ]  # fmt: skip
    Patient.objects.bulk_create(patients)
    studies = [_study(n, patient, doctors, states) for n, patient in enumerate(patients)]
    Study.objects.bulk_create(studies)
    for n, study in enumerate(studies):
        study.created_at = now - timedelta(minutes=7 * n)
    Study.objects.bulk_update(studies, ["created_at"], batch_size=1000)
    images = [
        Image(study=study, original_file=f"originals/{n}", original_sha256=f"{n:064x}", original_size_bytes=1)
        for n, study in enumerate(studies)
    ]
    Image.objects.bulk_create(images)
    Analysis.objects.bulk_create(
        Analysis(
            image=image, department=department, requested_by=doctors[0], queued_at=now, modality="DX",
            status=image.study.status, outcome=image.study.outcome,
            malignant_probability=image.study.malignant_probability,
        )
        for image in images
    )  # fmt: skip
    return doctors[0]


def _study(n: int, patient: Any, doctors: list[Any], states: list[str]) -> Any:
    from analyses.models import Study

    waits, outcome = n % 100 == 0, OUTCOMES[n % len(OUTCOMES)]
    return Study(
        department=patient.department,
        patient=patient,
        accession_number=f"ACC{n:06d}",
        modality=("DX", "CR")[n % 2],
        body_part_examined=PARTS[n % len(PARTS)],
        study_date=date(2026, 1, 1) + timedelta(days=n % 300),
        created_by=doctors[0],
        reading_state="unread" if n % 3 else states[n % len(states)],
        assigned_to=None if n % 4 else doctors[n // 4 % len(doctors)],
        status="queued" if waits else "succeeded",
        outcome="" if waits else outcome,
        malignant_probability=None if waits or outcome == "not_analysable" else (n % 97) / 97,
    )


def measure(doctor: Any, rounds: int) -> dict[str, dict[str, float]]:
    """Wall and CPU ms and the number of queries of each address."""
    from django.db import connection, reset_queries
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    from analyses.models import Study

    client = Client()
    client.force_login(doctor)
    middle = Study.objects.order_by("created_at")[2500 % Study.objects.count()].pk
    addresses = ADDRESSES | {"next case": f"/cases/{middle}/next/", "export, all rows": "/cases/export.csv"}
    figures = {}
    for name, address in addresses.items():
        times, cpu = [], []
        for _ in range(rounds + 2):
            reset_queries()
            begin, busy = time.perf_counter(), time.process_time()
            answer = client.get(address)
            if answer.streaming:
                b"".join(answer.streaming_content)  # type: ignore[attr-defined]
            times.append((time.perf_counter() - begin) * 1000)
            cpu.append((time.process_time() - busy) * 1000)
            assert answer.status_code in (200, 302), (address, answer.status_code)
        with CaptureQueriesContext(connection) as queries:
            client.get(address)
        figures[name] = {
            "median_ms": round(statistics.median(times[2:]), 1),
            "min_ms": round(min(times[2:]), 1),
            "cpu_ms": round(statistics.median(cpu[2:]), 1),
            "queries": len(queries),
        }
    return figures


def main() -> int:
    """Print the figures as JSON, for a doctor who sees answers at once and for one who reads first."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        start_django(home)
        doctor = fill(options.cases)
        figures: dict[str, Any] = {"cases": options.cases, "rounds": options.rounds}
        for mode in ("at_once", "own_first"):
            doctor.department.reading_mode = mode
            doctor.department.save(update_fields=["reading_mode"])
            figures[mode] = measure(doctor, options.rounds)
    print(json.dumps(figures, indent=1))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
