"""A Redis cache that is never trusted and never missed.

The cache holds throttle counters, sign-in limits and short-lived look-ups. When the broker's machine is down, or its
server refuses what it is asked, uploads must still be stored within a second, so a miss is the right answer; the
database stays the judge of everything that matters. Values are JSON: whoever can write to Redis can make the portal
forget a value, but cannot make it run one.
"""

import json
from typing import Any

import structlog
from django.core.cache.backends.redis import RedisCache, RedisCacheClient
from redis.exceptions import RedisError, ResponseError

log = structlog.get_logger(__name__)
ABSENT = object()
# What Redis answers when it is told to count up something that is no counter.
NO_COUNTER = ("not an integer", "would overflow", "WRONGTYPE")


class JsonSerializer:
    """Values as JSON; whatever is not JSON reads as absent. Integers are written bare, as counters need them."""

    def dumps(self, value: Any) -> str:
        return json.dumps(value, separators=(",", ":"))

    def loads(self, data: bytes) -> Any:
        try:
            return json.loads(data)
        except (ValueError, RecursionError):
            log.warning("cache_value_unreadable")
            return ABSENT


class JsonCacheClient(RedisCacheClient):
    """Django's client, to which a value that nobody can read is one that is not there."""

    def get(self, key: Any, default: Any) -> Any:
        value = super().get(key, default)
        return default if value is ABSENT else value

    def get_many(self, keys: Any) -> Any:
        return {key: value for key, value in super().get_many(keys).items() if value is not ABSENT}

    def incr(self, key: Any, delta: int) -> Any:
        try:
            return super().incr(key, delta)
        except ResponseError as error:
            if not any(words in str(error) for words in NO_COUNTER):
                raise
            self.delete(key)
            raise ValueError(f"Key {key!r} holds no counter.") from error


class ForgivingRedisCache(RedisCache):
    """Django's Redis cache whose reads miss and whose writes do nothing while Redis is away or refuses."""

    def __init__(self, server: Any, params: dict[str, Any]) -> None:
        options = {"serializer": JsonSerializer} | params.get("OPTIONS", {})
        super().__init__(server, params | {"OPTIONS": options})
        self._class = JsonCacheClient

    def _call(self, name: str, default: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return getattr(RedisCache, name)(self, *args, **kwargs)
        except RedisError as error:
            # Away (a lost connection, a time-out) or refusing: READONLY, OOM, MISCONF, NOREPLICAS and their like.
            log.warning("cache_unavailable", operation=name, error=type(error).__name__)
            return default

    def get(self, key: Any, default: Any = None, version: int | None = None) -> Any:
        return self._call("get", default, key, default, version=version)

    def get_many(self, keys: Any, version: int | None = None) -> Any:
        return self._call("get_many", {}, keys, version=version)

    def has_key(self, key: Any, version: int | None = None) -> Any:
        return self._call("has_key", False, key, version=version)

    def set(self, key: Any, value: Any, *args: Any, **kwargs: Any) -> Any:
        return self._call("set", None, key, value, *args, **kwargs)

    def set_many(self, data: Any, *args: Any, **kwargs: Any) -> Any:
        return self._call("set_many", list(data), data, *args, **kwargs)

    def add(self, key: Any, value: Any, *args: Any, **kwargs: Any) -> Any:
        return self._call("add", True, key, value, *args, **kwargs)

    def delete(self, key: Any, version: int | None = None) -> Any:
        return self._call("delete", False, key, version=version)

    def delete_many(self, keys: Any, version: int | None = None) -> Any:
        return self._call("delete_many", None, keys, version=version)

    def incr(self, key: Any, delta: int = 1, version: int | None = None) -> Any:
        return self._call("incr", delta, key, delta, version=version)

    def touch(self, key: Any, *args: Any, **kwargs: Any) -> Any:
        return self._call("touch", False, key, *args, **kwargs)
