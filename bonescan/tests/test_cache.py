"""The cache runs nothing it reads, and a Redis that is away or refuses costs a miss and no page."""

import os
import pickle
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache.backends.redis import RedisCacheClient
from django.urls import reverse
from redis import Redis as Connection
from redis.exceptions import ConnectionError as Lost
from redis.exceptions import OutOfMemoryError, ReadOnlyError, ResponseError

from bonescan.backends.cache import ForgivingRedisCache
from scripts.services import Redis

REFUSALS = {
    "READONLY": ReadOnlyError("You can't write against a read only replica."),
    "OOM": OutOfMemoryError("command not allowed when used memory > 'maxmemory'."),
    "MISCONF": ResponseError("MISCONF Redis is configured to save RDB snapshots, but cannot persist on disk."),
    "NOREPLICAS": ResponseError("NOREPLICAS Not enough good replicas to write."),
    "away": Lost("Connection refused"),
}
# How a server is brought to refuse writes, and back.
REFUSING = {
    "READONLY": (["REPLICAOF", "127.0.0.1", "1"], ["REPLICAOF", "NO", "ONE"]),
    "OOM": (["CONFIG", "SET", "maxmemory", "1"], ["CONFIG", "SET", "maxmemory", "0"]),
    "NOREPLICAS": (["CONFIG", "SET", "min-replicas-to-write", "1"], ["CONFIG", "SET", "min-replicas-to-write", "0"]),
}


@pytest.fixture(scope="module")
def server() -> Iterator[Redis]:
    """A Redis of its own, which a test may bring to refuse."""
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is absent")
    redis = Redis()
    yield redis
    redis.stop()


@pytest.fixture
def raw(server: Redis) -> Iterator[Connection]:
    """The server as somebody sees it who writes past the portal."""
    connection = Connection.from_url(server.url)
    connection.flushdb()
    yield connection
    connection.close()


@pytest.fixture
def cache(server: Redis, raw: Connection) -> ForgivingRedisCache:
    return ForgivingRedisCache(server.url, {"KEY_PREFIX": "bonescan", "OPTIONS": {"socket_timeout": 0.5}})


@pytest.fixture
def portal(server: Redis, raw: Connection, settings) -> Connection:
    """The portal with its cache in this server."""
    options = {"socket_connect_timeout": 0.5, "socket_timeout": 0.5}
    settings.CACHES = {
        "default": {
            "BACKEND": "bonescan.backends.cache.ForgivingRedisCache",
            "LOCATION": server.url,
            "KEY_PREFIX": "bonescan",
            "OPTIONS": options,
        }
    }
    return raw


class Harmful:
    """What makes a folder when it is unpickled."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.folder,)


# --- what is read -------------------------------------------------------------------------------------------------
def test_a_pickle_in_the_cache_runs_nothing_and_reads_as_absent(cache, raw, tmp_path):
    folder = tmp_path / "made"
    for name in ("one", "two"):
        raw.set(cache.make_key(name), pickle.dumps(Harmful(str(folder))))
    assert cache.get("one") is None
    assert cache.get("one", "instead") == "instead"
    assert cache.get_many(["one", "two"]) == {}
    assert not folder.exists()


def test_a_pickled_history_of_sign_ins_runs_nothing_and_the_page_is_answered(client, doctor, portal, tmp_path):
    sign_in = reverse("account_login")
    credentials = {"login": doctor.email, "password": "wrong password entirely"}
    assert client.post(sign_in, credentials).status_code == 200
    kept = [key for key in portal.scan_iter() if not key.endswith(b":lock")]
    assert kept
    for key in kept:
        portal.set(key, pickle.dumps(Harmful(str(tmp_path / "made"))))
    assert client.post(sign_in, credentials).status_code == 200
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("foreign", [b"", b"\xff\xfe", b"text", b"{'a': 1}", b"[" * 200_000, b"9" * 5_000])
def test_what_is_not_json_reads_as_absent(cache, raw, foreign):
    raw.set(cache.make_key("key"), foreign)
    assert cache.get("key", "instead") == "instead"


def test_a_key_of_another_type_reads_as_absent(cache, raw):
    raw.rpush(cache.make_key("key"), "a", "b")
    assert cache.get("key", "instead") == "instead"


@pytest.mark.parametrize("foreign", [b"text", pickle.dumps("text"), b"1.5", b"9223372036854775807"])
def test_a_counter_that_is_none_begins_again(cache, raw, foreign):
    raw.set(cache.make_key("counter"), foreign)
    with pytest.raises(ValueError, match="counter"):
        cache.incr("counter")
    assert cache.add("counter", 1, timeout=60)
    assert cache.incr("counter") == 2


@pytest.mark.parametrize("value", [0, 7, True, "text", "Müller", [1.5, 2.25], [["DX", "tumour"]], {"a": None}, []])
def test_what_the_portal_keeps_comes_back_as_it_was(cache, value):
    cache.set("key", value, 60)
    found = cache.get("key")
    assert (found, type(found)) == (value, type(value))
    assert cache.get_many(["key", "other"]) == {"key": value}


@pytest.mark.django_db
@pytest.mark.parametrize("foreign", [b"7", b"{}", b"[7]", b'["a"]', b'[["a", "b", "c"]]', b'"no-such-model"', b"null"])
def test_a_look_up_of_another_shape_breaks_no_page(client, doctor, portal, foreign):
    client.force_login(doctor)
    assert client.get(reverse("analyses:case_list")).status_code == 200
    for key in list(portal.scan_iter()):
        portal.set(key, foreign)
    assert client.get(reverse("analyses:case_list")).status_code == 200


# --- a server that refuses ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_refusal_is_a_miss_and_a_write_that_does_nothing(cache, monkeypatch, refusal):
    def refuse(*_args: Any, **_kwargs: Any) -> None:
        raise REFUSALS[refusal]

    monkeypatch.setattr(RedisCacheClient, "get_client", refuse)
    assert cache.get("key", "instead") == "instead"
    assert cache.get_many(["key"]) == {}
    assert "key" not in cache
    cache.set("key", 1)
    assert cache.set_many({"key": 1}) == ["key"]
    assert cache.add("key", 1)
    assert cache.incr("key") == 1
    assert not cache.touch("key")
    assert not cache.delete("key")
    cache.delete_many(["key"])


@pytest.fixture
def refusing(portal: Connection, request: pytest.FixtureRequest) -> Iterator[None]:
    begin, end = REFUSING[request.param]
    portal.execute_command(*begin)
    yield
    portal.execute_command(*end)


@pytest.mark.django_db
@pytest.mark.parametrize("refusing", REFUSING, indirect=True)
def test_pages_are_answered_while_redis_refuses_writes(client, doctor, refusing):
    credentials = {"login": doctor.email, "password": "wrong password entirely"}
    assert client.post(reverse("account_login"), credentials).status_code == 200
    client.force_login(doctor)
    assert client.get(reverse("analyses:case_list")).status_code == 200
    assert client.post(reverse("analyses:verify"), {"document": "0" * 64}).status_code == 200
