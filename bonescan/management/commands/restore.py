"""`manage.py restore ARCHIVE`: what `backup` wrote, verified first, back in place."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from bonescan.backups.archive import BackupError, restore_backup
from bonescan.backups.database import DatabaseToolError


class Command(BaseCommand):
    help = "Verify an archive of `backup`, then restore its files and its database. Stop web, worker and sweeper first."
    # Also on an installation that no longer passes them.
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("archive", type=Path)
        parser.add_argument("--force", action="store_true", help="replace all data of this installation")
        parser.add_argument("--foreign", action="store_true", help="accept an archive written under another SECRET_KEY")
        parser.add_argument("--sha256", default="", help="the digest printed by `backup`")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            done = restore_backup(
                options["archive"], force=options["force"], foreign=options["foreign"], sha256=options["sha256"]
            )
        except (BackupError, DatabaseToolError, OSError) as error:
            raise CommandError(f"Not restored. {error}") from error
        self.stdout.write(f"Restored {done.files} files and the database. Everybody must sign in again.")
        if done.missing:
            self.stdout.write(f"{done.missing} files were already missing when the backup was made.")
        self.stdout.write("Run `manage.py migrate` now: the backup may be of an earlier version.")
