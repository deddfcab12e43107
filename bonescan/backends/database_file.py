"""Who may read the database where it is a file."""

import stat
from contextlib import suppress
from pathlib import Path
from typing import Any

PRIVATE = 0o600
# The database, and what SQLite keeps beside it; new ones have the database's own mode.
PARTS = ("", "-wal", "-shm", "-journal")


def keep_private(connection: Any, **_: Any) -> None:
    """Leave an SQLite database to the user who runs the portal, at each connection: new or of an earlier version."""
    if connection.vendor != "sqlite" or connection.is_in_memory_db():
        return
    for part in PARTS:
        path = Path(f"{connection.settings_dict['NAME']}{part}")
        # A file beside the database comes and goes; one of another user is left to that user.
        with suppress(FileNotFoundError, PermissionError):
            if stat.S_IMODE(path.stat().st_mode) & ~PRIVATE:
                path.chmod(PRIVATE)
