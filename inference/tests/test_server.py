"""The decode server: it answers like the decoder, and nothing that a file or a client does ends it."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inference.errors import DecodeError
from inference.imaging import client as client_module
from inference.imaging.canonical import canonical_sha256
from inference.imaging.client import DecodeClient
from inference.imaging.server import start_server
from inference.imaging.supervisor import SupervisedServer
from inference.imaging.wire import ProtocolError, read_reply, request_head
from inference.tests.made_dicom import picture, ramp

ROOT = Path(__file__).resolve().parents[2]
FILM = picture(ramp(0, 255, "u1", 300, 200), "JPEG")
LIMITS = {"WALL_S": "3", "RECEIVE_S": "2"}


@pytest.fixture
def folder():
    """A short path: a unix socket's name holds 108 bytes, and pytest's own folders are longer at times."""
    with tempfile.TemporaryDirectory(prefix="bs-") as path:
        yield Path(path)


@pytest.fixture
def start(folder, monkeypatch):
    """A function that starts a server with the given limits and returns it with a client."""
    started: list[SupervisedServer] = []

    def begin(**limits: str) -> tuple[SupervisedServer, DecodeClient]:
        for name, value in {**LIMITS, **limits}.items():
            monkeypatch.setenv(f"BONESCAN_DECODE_{name}", value)
        started.append(start_server(folder / "decode.sock"))
        client = DecodeClient(folder / "decode.sock")
        client.decode(FILM)  # accepted after the start-up probe, whose child must not be mistaken for a test's
        assert until(lambda: not children(started[-1].pid))
        return started[-1], client

    yield begin
    for server in started:
        server.stop()


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def until(condition, seconds: float = 8) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.01)
    return False


def link_to(server: SupervisedServer) -> socket.socket:
    link = socket.socket(socket.AF_UNIX)
    link.settimeout(10)
    link.connect(str(server.socket_path))
    return link


def answer(link: socket.socket) -> str:
    """Return the code of the refusal that arrives on `link`."""
    with pytest.raises(DecodeError) as caught:
        read_reply(lambda length: link.recv(length, socket.MSG_WAITALL))
    return caught.value.code


def refused(client: DecodeClient, data: bytes) -> DecodeError:
    with pytest.raises(DecodeError) as caught:
        client.decode(data)
    return caught.value


def test_a_film_comes_back_as_pixels_png_hash_and_facts(start, tmp_path):
    _, client = start()
    decoded = client.decode(FILM)
    assert decoded.grey.shape == (200, 300)
    assert decoded.canonical_sha256 == canonical_sha256(decoded.grey)
    (tmp_path / "film.png").write_bytes(decoded.png)
    with Image.open(tmp_path / "film.png") as shown:
        assert np.array_equal(np.asarray(shown), decoded.grey)
    assert decoded.meta["format"] == "jpeg"


def test_only_its_own_user_may_open_the_socket(start):
    server, _ = start()
    assert oct(server.socket_path.stat().st_mode & 0o777) == "0o600"


def test_rubbish_is_refused_with_its_code(start):
    _, client = start(MAX_INPUT_BYTES="100000")
    cases = (
        (b"", "empty_file"),
        (b"no image", "not_an_image"),
        (FILM[:400], "truncated"),
        (b"x" * 100_001, "too_large"),
    )
    for data, code in cases:
        error = refused(client, data)
        assert (error.code, error.retriable) == (code, False)


def test_a_child_killed_from_outside_is_told_as_worth_a_retry_and_the_server_goes_on(start):
    server, client = start()
    with link_to(server) as half_sent:
        half_sent.sendall(request_head(10))
        assert until(lambda: children(server.pid))
        os.kill(children(server.pid)[0], signal.SIGKILL)
        with pytest.raises(DecodeError) as caught:
            read_reply(lambda length: half_sent.recv(length, socket.MSG_WAITALL))
    assert (caught.value.code, caught.value.retriable) == ("decoder_died", True)
    assert client.decode(FILM).grey.size


def test_a_child_that_crashes_on_an_image_is_not_worth_a_retry(start):
    server, _ = start()
    with link_to(server) as half_sent:
        half_sent.sendall(request_head(10))
        assert until(lambda: children(server.pid))
        os.kill(children(server.pid)[0], signal.SIGSEGV)
        with pytest.raises(DecodeError) as caught:
            read_reply(lambda length: half_sent.recv(length, socket.MSG_WAITALL))
    assert (caught.value.code, caught.value.retriable) == ("decoder_died", False)


def test_a_child_that_takes_too_long_is_ended_at_the_deadline(start):
    server, client = start(WALL_S="1", RECEIVE_S="60")
    began = time.monotonic()
    with link_to(server) as stalled:
        stalled.sendall(request_head(10))
        assert answer(stalled) == "too_slow"
    assert time.monotonic() - began < 5
    assert client.decode(FILM).grey.size


def test_clients_that_never_send_are_dropped_and_others_are_served(start):
    server, client = start()
    idle = [link_to(server) for _ in range(3)]
    assert client.decode(FILM).grey.size
    assert until(lambda: not children(server.pid))
    for link in idle:
        link.close()


def test_a_client_that_leaves_in_the_middle_leaves_nothing_behind(start):
    server, client = start()
    with link_to(server) as link:
        link.sendall(request_head(1000) + b"half")
    assert until(lambda: not children(server.pid))
    assert client.decode(FILM).grey.size


def test_no_more_children_than_allowed_run_at_once(start):
    server, _ = start(CHILDREN="2")
    links = [link_to(server) for _ in range(5)]
    assert until(lambda: len(children(server.pid)) == 2)
    time.sleep(0.3)
    assert len(children(server.pid)) == 2
    for link in links:
        link.close()


def test_a_claimed_length_beyond_the_limit_is_refused_before_it_is_read(start):
    server, client = start()
    with link_to(server) as liar:
        liar.sendall(request_head(1 << 62))
        assert answer(liar) == "too_large"
    assert client.decode(FILM).grey.size


def test_a_stranger_on_the_socket_gets_no_answer_and_does_no_harm(start):
    server, client = start()
    with link_to(server) as stranger:
        stranger.sendall(b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n")
        with contextlib.suppress(ConnectionResetError):  # the child left with bytes unread
            assert stranger.recv(100) == b""
    assert client.decode(FILM).grey.size


def test_too_much_memory_is_an_answer_and_not_a_death(start):
    _, client = start(MEMORY_BYTES=str(16 * 1024 * 1024))
    error = refused(client, picture(np.zeros((5000, 6000), "u1"), "PNG"))
    assert (error.code, error.retriable) == ("too_much_memory", False)
    assert client.decode(FILM).grey.size


def test_a_dead_server_is_started_again_and_waited_for(start):
    server, client = start()
    first = server.pid
    os.kill(first, signal.SIGKILL)
    assert until(lambda: not Path(f"/proc/{first}/cmdline").exists() or server.pid != first)
    assert client.decode(FILM).grey.size
    assert server.pid != first


def test_without_a_server_the_error_says_that_a_retry_makes_sense_and_the_lease_is_renewed(folder):
    calls = []
    with pytest.raises(DecodeError) as caught:
        DecodeClient(folder / "none", connect_s=0.4).decode(FILM, keep_alive=lambda: calls.append(1))
    assert (caught.value.code, caught.value.retriable) == ("decoder_unavailable", True)
    assert calls


def test_the_lease_is_renewed_while_a_decode_takes_its_time(folder, monkeypatch):
    monkeypatch.setattr(client_module, "KEEP_ALIVE_S", 0.1)
    calls: list[int] = []
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(folder / "s"))
        silent.listen()
        with pytest.raises(DecodeError) as caught:
            DecodeClient(folder / "s", timeout_s=0.6).decode(FILM, keep_alive=lambda: calls.append(1))
    assert caught.value.code == "decoder_unavailable"
    assert 3 <= len(calls) <= 7


@pytest.mark.parametrize("lost", [RuntimeError("lease lost"), ConnectionError("database gone")])
def test_what_keep_alive_raises_stops_the_wait_and_goes_through(folder, monkeypatch, lost):
    monkeypatch.setattr(client_module, "KEEP_ALIVE_S", 0.05)

    def keep_alive():
        raise lost

    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(folder / "s"))
        silent.listen()
        with pytest.raises(type(lost)) as caught:
            DecodeClient(folder / "s").decode(FILM, keep_alive=keep_alive)
    assert caught.value is lost


def test_films_are_decoded_side_by_side(start):
    _, client = start()
    sizes = []
    threads = [threading.Thread(target=lambda: sizes.append(client.decode(FILM).grey.size)) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sizes == [60_000] * 12


def test_a_stopped_server_leaves_no_socket_and_no_process(start):
    server, _ = start()
    pid = server.pid
    server.stop()
    server.stop()
    assert not server.socket_path.exists()
    assert not Path(f"/proc/{pid}").exists()


def test_the_server_ends_when_its_worker_is_killed(folder):
    code = (
        "import sys, time; from inference.imaging.server import start_server;"
        "print(start_server(sys.argv[1]).pid, flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", code, str(folder / "s")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        pid = int(worker.stdout.readline())
        worker.kill()
    assert until(lambda: not running(pid))


def running(pid: int) -> bool:
    """Whether the process still runs; one that waits to be collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"BSR1\xff\xff\xff\xff",
        b"BSR1\x00\x00\x00\x02[]",
        b'BSR1\x00\x00\x00\x4a{"ok": true, "height": 99999, "width": 99999, "png_bytes": 1, "meta": {}}     ',
    ],
)
def test_an_impossible_reply_is_not_believed(reply):
    stream = memoryview(reply)
    position = 0

    def receive(length: int) -> bytes:
        nonlocal position
        position += length
        return bytes(stream[position - length : position])

    with pytest.raises(ProtocolError):
        read_reply(receive)


def test_client_and_supervisor_load_no_decoder_and_no_torch():
    code = (
        "import sys, inference.imaging.client, inference.imaging.server;"
        "print([name for name in ('torch', 'pydicom', 'gdcm', 'django') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_project_deep_in_the_tree_can_still_name_its_socket(folder):
    deep = folder / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    server = start_server(deep / "decode.sock")
    try:
        assert DecodeClient(deep / "decode.sock").decode(FILM).grey.size
    finally:
        server.stop()
