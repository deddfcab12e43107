"""A temporary Postgres (unix socket only) and Redis (free loopback port) for tests and measurements.

``scripts/with_services COMMAND`` starts both, runs COMMAND with DATABASE_URL and REDIS_URL set and stops both. Where
the environment already names one of them, that one is used and left alone. Postgres refuses to run as root, so a root
caller runs it as the user ``nobody``.
"""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path


def free_port() -> int:
    """A loopback TCP port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def postgres_program(name: str) -> str:
    """Path of a Postgres server program; Debian keeps them out of PATH."""
    found = sorted(map(str, Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))) or [shutil.which(name) or ""]
    if not found[-1]:
        raise SystemExit(f"{name} is missing; run: scripts/install test")
    return found[-1]


class Postgres:
    """One database cluster in a temporary folder, reached through a unix socket in that folder."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="bs-pg-", dir="/tmp"))
        self.port = free_port()
        self._as = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"] if os.getuid() == 0 else []
        if self._as:
            nobody = pwd.getpwnam("nobody")
            os.chown(self.folder, nobody.pw_uid, nobody.pw_gid)
        self.data = self.folder / "data"
        self._run(
            postgres_program("initdb"), "-D", str(self.data), "-U", "bonescan", "-A", "trust", "-E", "UTF8",
            "--no-sync", "--locale=C.UTF-8",
        )  # fmt: skip
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"postgres://bonescan@{str(self.folder).replace('/', '%2F')}:{self.port}/postgres"

    def _run(self, *command: str) -> None:
        subprocess.run([*self._as, *command], check=True, stdout=subprocess.DEVNULL, env=_plain_environment())

    def start(self) -> None:
        """Start the server and wait until it accepts connections."""
        command = [*self._as, postgres_program("postgres"), "-D", str(self.data), "-k", str(self.folder)]
        options = ["-p", str(self.port), "-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=60"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, *options], stdout=log, stderr=log, start_new_session=True, env=_plain_environment()
            )
        command = [postgres_program("pg_isready"), "-q", "-h", str(self.folder), "-p", str(self.port), "-U", "bonescan"]
        _wait_for(lambda: subprocess.run(command).returncode == 0, "Postgres")

    def kill(self) -> None:
        """End the server at once, as a power cut would (its children notice and go)."""
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """End the server and remove its folder."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


class Redis:
    """One Redis server without persistence on a free loopback port."""

    def __init__(self) -> None:
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start the (empty) server and wait until it accepts connections."""
        program = shutil.which("redis-server")
        if program is None:
            raise SystemExit("redis-server is missing; run: scripts/install test")
        self.process = subprocess.Popen(
            [program, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True, cwd="/",
        )  # fmt: skip
        _wait_for(self._answers, "Redis")

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self) -> None:
        """End the server at once; all it held is gone."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    stop = kill


def _plain_environment() -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}


def _wait_for(ready: object, name: str, seconds: float = 60) -> None:
    assert callable(ready)
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise SystemExit(f"{name} did not start within {seconds:.0f} s")
        time.sleep(0.05)


@contextlib.contextmanager
def services() -> Iterator[dict[str, str]]:
    """Yield the environment variables that name a running Postgres and Redis."""
    with contextlib.ExitStack() as stack:
        names = {}
        for variable, kind in (("DATABASE_URL", Postgres), ("REDIS_URL", Redis)):
            if not os.environ.get(variable):
                server = kind()
                stack.callback(server.stop)
                names[variable] = server.url
        yield names


def main() -> int:
    """Run a command between start and stop of the services; its exit status is ours."""
    # Turn a terminate signal into an exception, so that the services are stopped then too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with services() as names:
        return subprocess.run(sys.argv[1:], env={**os.environ, **names}).returncode


if __name__ == "__main__":
    sys.exit(main())
