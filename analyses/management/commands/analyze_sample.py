"""A first case to look at: the radiograph that pydicom-data ships, through the same services as any upload."""

import tempfile
from pathlib import Path
from typing import Any

from django.core.files.base import ContentFile
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import Role, User
from analyses.intake import services as intake
from analyses.models import Status
from analyses.pipeline import running
from inference.imaging.supervisor import start_server

SAMPLE = "RG3_J2KR.dcm"


class Command(BaseCommand):
    help = "Analyse the sample radiograph of pydicom-data for a doctor, unless already done."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--email",
            default="doctor@example.org",
            help="e-mail address of the doctor whose department receives the case",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        doctor = User.objects.filter(email=options["email"], is_active=True, department__isnull=False).first()
        if doctor is None or not doctor.has_role(Role.DOCTOR):
            self.stdout.write("There is no such doctor with a department. The sample film was skipped.")
            return
        submission = intake.submit_image(
            user=doctor, token=None, upload=ContentFile(sample_bytes(), name=SAMPLE), fields=intake.CaseFields()
        )
        analysis = submission.analysis
        if analysis.status == Status.QUEUED:
            with tempfile.TemporaryDirectory(prefix="bs-") as folder:
                server = start_server(Path(folder) / "decode.sock")
                try:
                    running.use_decoder(str(server.socket_path))
                    running.run(analysis.pk, "analyze_sample", seconds=0)
                finally:
                    server.stop()
            analysis.refresh_from_db()
        self.stdout.write(f"Sample film: {analysis.get_status_display()} {analysis.get_outcome_display()}".rstrip())


def sample_bytes() -> bytes:
    """The film's file; CommandError where pydicom-data is not installed."""
    from pydicom.data import get_testdata_file

    path = get_testdata_file(SAMPLE, download=False)
    if path is None:
        raise CommandError("The package pydicom-data is missing. Install requirements.txt.")
    return Path(path).read_bytes()
