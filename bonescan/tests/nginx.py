"""deploy/nginx.conf in front of a real web process, on loopback ports and with a certificate made for the occasion."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from scripts.services import free_port

ROOT = Path(settings.BASE_DIR)


@dataclass(frozen=True)
class Front:
    """A running nginx and where to reach it."""

    https_port: int
    http_port: int
    web_port: int
    certificate: Path
    folder: Path
    web: "subprocess.Popen[bytes]"

    @property
    def url(self) -> str:
        return f"https://localhost:{self.https_port}"


def certificate(folder: Path) -> Path:
    """A self-signed certificate for localhost; the key lies beside it."""
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    files = ["-keyout", str(folder / "privkey.pem"), "-out", str(folder / "fullchain.pem")]
    subprocess.run(
        [*command, "-addext", "subjectAltName=DNS:localhost", *files],
        check=True,
        stderr=subprocess.DEVNULL,
    )
    return folder / "fullchain.pem"


def adapted(folder: Path, https_port: int, http_port: int, web_port: int) -> Path:
    """The shipped configuration with the container's names and paths replaced by this machine's."""
    text = (ROOT / "deploy/nginx.conf").read_text()
    for old, new in (
        ("listen 8443", f"listen 127.0.0.1:{https_port}"),
        ("listen 8080", f"listen 127.0.0.1:{http_port}"),
        ("server web:8000", f"server 127.0.0.1:{web_port}"),
        ("/etc/nginx/tls", str(folder)),
        ("/var/cache/nginx", str(folder / "cache")),
        ("/tmp/nginx.pid", str(folder / "nginx.pid")),
        ("/dev/stdout", str(folder / "nginx.log")),
        ("error_log /dev/stderr", f"error_log {folder / 'nginx.log'}"),
    ):
        assert old in text, f"deploy/nginx.conf no longer has {old!r}"
        text = text.replace(old, new)
    assert not re.search(r"/etc/nginx|/var/|web:8000", text)
    # Started by root, nginx would serve as a user that cannot open this folder.
    text = (f"user {os.environ.get('USER') or 'root'};\n" if os.getuid() == 0 else "") + "daemon off;\n" + text
    (folder / "cache").mkdir(exist_ok=True)
    path = folder / "nginx.conf"
    path.write_text(text)
    return path


@contextmanager
def front(folder: Path, environment: dict[str, str]) -> Iterator[Front]:
    """gunicorn with two workers behind nginx; both end with the block."""
    chain = certificate(folder)
    ports = [free_port() for _ in range(3)]
    conf = adapted(folder, *ports)
    with (folder / "web.log").open("ab") as log:
        web = subprocess.Popen(
            [str(Path(sys.executable).parent / "gunicorn"), "-c", "deploy/gunicorn.conf.py", "bonescan.wsgi"],
            cwd=ROOT,
            env={**environment, "WEB_BIND": f"127.0.0.1:{ports[2]}"},
            stdout=log,
            stderr=log,
        )
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    proxy = subprocess.Popen([program, "-p", str(folder), "-c", str(conf)], stderr=subprocess.DEVNULL)
    try:
        for port in ports:
            wait_for_port(port)
        yield Front(ports[0], ports[1], ports[2], chain, folder, web)
    finally:
        for process in (proxy, web):
            process.terminate()
            process.wait(timeout=40)


def wait_for_port(port: int, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError(f"nothing listens on port {port}")
