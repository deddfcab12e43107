"""`manage.py backup PLACE`: database and stored files in one archive."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from bonescan.backups.archive import BackupError, create_backup
from bonescan.backups.database import DatabaseToolError


class Command(BaseCommand):
    help = "Write the database and stored files to one archive. The portal may keep running."
    # Also on an installation that no longer passes them.
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("place", type=Path, help="a directory (the file is named by the time) or a new file")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            done = create_backup(options["place"])
        except (BackupError, DatabaseToolError, OSError) as error:
            raise CommandError(f"No backup was written. {error}") from error
        self.stdout.write(f"{done.path}: {done.files} files, {done.bytes} bytes")
        self.stdout.write(f"sha256 {done.sha256}")
        if done.missing:
            raise CommandError(
                f"The archive was written, but {done.missing} files that rows name are missing in the store"
                " (listed in its manifest.json)."
            )
