"""Asked by the container engine: does this container's process do its work? `healthcheck.py web|worker|sweeper`.

Web answers on /livez. Worker and sweeper note in the database every few seconds that they live; the note must be fresh.
"""

import os
import socket
import sys
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

FRESH_S = 90


def web() -> bool:
    """Ask under a name that the portal accepts: it refuses requests for hosts that it does not serve."""
    host = os.environ.get("ALLOWED_HOSTS", "localhost").split(",")[0].strip()
    port = int(os.environ.get("WEB_BIND", ":8000").rpartition(":")[2])
    with closing(HTTPConnection("127.0.0.1", port, timeout=4)) as connection:
        connection.request("GET", "/livez", headers={"Host": host.lstrip(".*") or "localhost"})
        return connection.getresponse().status == 200


def seen(kind: str) -> bool:
    """Whether the process of this kind on this host wrote its note lately, by the database's clock."""
    import psycopg

    url = os.environ.get("DATABASE_URL") or Path(os.environ["DATABASE_URL_FILE"]).read_text().strip()
    with psycopg.connect(url, connect_timeout=3) as database:
        found = database.execute(
            "SELECT 1 FROM analyses_processseen WHERE kind = %s AND name LIKE %s"
            " AND seen_at > now() - %s * interval '1 second'",
            (kind, f"%{socket.gethostname()}%", FRESH_S),
        ).fetchone()
    return found is not None


def main(kind: str) -> int:
    """0 when healthy, 1 when not; says the kind of trouble, never an address or a password."""
    try:
        healthy = web() if kind == "web" else seen(kind)
    except Exception as error:
        sys.stderr.write(f"{type(error).__name__}\n")
        return 1
    return 0 if healthy else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
