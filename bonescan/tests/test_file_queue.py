"""The queue of files: whole messages or none, each to one reader, and no file that ends the worker."""

import json
from pathlib import Path
from queue import Empty

import pytest
from kombu import Connection

from bonescan.backends import file_queue

file_queue.install()


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path


@pytest.fixture
def queue(folder):
    options = {name: str(folder) for name in ("data_folder_in", "data_folder_out", "control_folder")}
    with Connection("filesystem://localhost", transport_options=options) as link, link.SimpleQueue("work") as simple:
        yield simple


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_scheme_means_this_transport(queue):
    assert isinstance(queue.channel, file_queue.Channel)


def test_messages_come_in_the_order_they_were_sent_and_leave_no_file(queue, folder):
    for number in range(3):
        queue.put({"n": number})
    received = [queue.get(timeout=5) for _ in range(3)]
    assert [message.payload for message in received] == [{"n": 0}, {"n": 1}, {"n": 2}]
    for message in received:
        message.ack()
    assert names(folder) == []


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'"x"', b"\xff", b'{"body": 1, "headers": {}, "properties": {}}']
)
def test_a_file_that_is_no_message_is_thrown_away_and_the_next_one_read(queue, folder, content):
    (folder / "000_first.work.msg").write_bytes(content)
    queue.put({"n": 1})
    assert queue.get(timeout=5).payload == {"n": 1}
    assert names(folder) == []


def test_half_written_messages_are_not_seen(queue, folder):
    (folder / ".000.part").write_bytes(b"{")
    with pytest.raises(Empty):
        queue.get(timeout=0.3)
    assert names(folder) == [".000.part"]


def test_a_message_taken_by_another_reader_is_passed_over(queue, folder):
    assert queue.channel._take(folder / "gone.work.msg") is None


def test_messages_of_other_queues_are_left_alone(queue, folder):
    (folder / "000_x.other.msg").write_text(json.dumps({}))
    with pytest.raises(Empty):
        queue.get(timeout=0.3)
    assert queue.channel._size("other") == 1


def test_a_message_that_cannot_be_written_leaves_nothing_behind(queue, folder, monkeypatch):
    def full(*_):
        raise OSError(28, "no room")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="no room"):
        queue.channel._put("work", {})
    assert names(folder) == []


def test_a_purge_empties_the_queue(queue, folder):
    queue.put({"n": 1})
    assert queue.channel._purge("work") == 1
    assert names(folder) == []
