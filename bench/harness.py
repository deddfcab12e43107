"""A whole portal of real processes in a temporary home: Postgres, Redis, web, worker, sweeper.

Used by the measurements and by the browser tests. Nothing outlives the ``with`` block.
"""

import contextlib
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import requests

from scripts.services import Postgres, Redis, free_port

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent


@dataclass
class Portal:
    """One running portal.

    Attributes:
        url: address of the web process, without a slash at the end.
        processes: the started processes by name; ``start`` and ``kill`` work on these names.
    """

    home: Path
    env: dict[str, str]
    postgres: Postgres | None
    redis: Redis | None
    port: int
    web_threads: int = 4
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def command(self, name: str) -> list[str]:
        """The command line of one process, as an operator's supervisor would start it."""
        if name == "web":
            return [
                str(BIN / "gunicorn"), "-c", "deploy/gunicorn.conf.py", "--workers", "1", "--threads",
                str(self.web_threads), "--bind", f"127.0.0.1:{self.port}", "bonescan.wsgi",
            ]  # fmt: skip
        if name == "sweeper":
            return [sys.executable, "manage.py", "sweep"]
        return [
            str(BIN / "celery"), "-A", "bonescan", "worker", "--pool", "prefork", "--concurrency", "1", "--loglevel",
            "WARNING", "--without-gossip", "--without-mingle", "--hostname", f"{name}@bench",
        ]  # fmt: skip

    def start(self, name: str) -> None:
        """Start (again) the process of this name."""
        with (self.home / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                self.command(name), env=self.env, cwd=ROOT, stdout=log, stderr=log, start_new_session=True
            )

    def stop(self, name: str, sig: int = signal.SIGTERM, seconds: float = 20) -> None:
        """Send a signal to the main process and wait for its end; kill the group when it does not go."""
        process = self.processes.pop(name)
        if process.poll() is None:
            process.send_signal(sig)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=seconds)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def stop_all(self) -> None:
        """Stop everything that was started."""
        for name in list(self.processes):
            self.stop(name)

    def manage(self, *arguments: str) -> str:
        """Run one management command in this portal and return what it printed."""
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(command, env=self.env, cwd=ROOT, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"manage.py {arguments[0]} failed:\n{done.stderr[-3000:]}")
        return done.stdout

    def log(self, name: str) -> str:
        """What a process has written so far."""
        path = self.home / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def passwords(self) -> dict[str, str]:
        """Make the demo cast and return its passwords by e-mail address."""
        return dict(re.findall(r"(\w+@example\.org)\s+.*?(\S+)\s*$", self.manage("demo_passwords"), re.MULTILINE))

    def person(self, email: str, role: str, department: str) -> str:
        """Add an account beside the demo cast and return its password."""
        password = secrets.token_urlsafe(18)
        code = (
            "from accounts.models import Department; from accounts.services import create_person; "
            f"create_person(email={email!r}, roles=[{role!r}], by=None, password={password!r}, "
            f"department=Department.objects.get(name={department!r}))"
        )
        self.manage("shell", "--no-imports", "-c", code)
        return password

    def token(self, email: str = "api@example.org") -> str:
        """Make an API token for an account of the demo cast."""
        return self.manage("create_api_token", "--email", email, "--name", "bench").strip().splitlines()[-1]

    def wait_ready(self, seconds: float = 60) -> None:
        """Wait until the web process says that it can store uploads."""
        deadline = time.monotonic() + seconds
        while True:
            with contextlib.suppress(requests.RequestException):
                if requests.get(f"{self.url}/readyz", timeout=5).status_code == 200:
                    return
            if time.monotonic() > deadline:
                raise RuntimeError(f"the portal did not get ready:\n{self.log('web')[-3000:]}")
            time.sleep(0.1)


def _environment(home: Path, port: int) -> dict[str, str]:
    keep = {key: os.environ[key] for key in ("PATH", "HOME", "LANG", "LC_ALL") if key in os.environ}
    return {
        **keep,
        "BONESCAN_HOME": str(home),
        "SECRET_KEY": "only-for-measuring-" + os.urandom(32).hex(),
        "SECURE": "0",
        "PLAIN_STATIC": "1",
        "PORT": str(port),
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "API_THROTTLE_PER_MINUTE": "0",
        "LOG_LEVEL": "INFO",
        "OMP_NUM_THREADS": "1",
        "PYTHONUNBUFFERED": "1",
        "DJANGO_SETTINGS_MODULE": "bonescan.settings",
    }


@contextlib.contextmanager
def portal(
    *, services: bool = True, processes: tuple[str, ...] = ("web", "worker", "sweeper"), **extra_env: str
) -> Iterator[Portal]:
    """Start a portal with an empty record and stop it afterwards.

    Args:
        services: True for temporary Postgres and Redis, False for SQLite and Celery's filesystem transport.
        processes: what to start after the migration.
        extra_env: further environment variables, such as ``LEASE_S="5"``.
    """
    # Unix socket paths are limited to 107 bytes, so the home lies directly under /tmp.
    home = Path(tempfile.mkdtemp(prefix="bs-", dir="/tmp"))
    port = free_port()
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, home, ignore_errors=True)
        env = {**_environment(home, port), **extra_env}
        postgres = redis = None
        if services:
            postgres, redis = Postgres(), Redis()
            stack.callback(postgres.stop)
            stack.callback(redis.stop)
            env |= {"DATABASE_URL": postgres.url, "REDIS_URL": redis.url}
        running = Portal(home=home, env=env, postgres=postgres, redis=redis, port=port)
        running.manage("migrate", "--verbosity", "0")
        (home / "staticfiles").mkdir()
        stack.callback(running.stop_all)
        for name in processes:
            running.start(name)
        if "web" in processes:
            running.wait_ready()
        yield running
