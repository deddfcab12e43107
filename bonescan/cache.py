"""A Redis cache that treats an absent server as an empty cache.

The cache holds throttle counters and sign-in limits. When the broker's machine is down, uploads must still be stored
within a second, so a miss is the right answer; the database stays the judge of everything that matters.
"""

from typing import Any

import structlog
from django.core.cache.backends.redis import RedisCache
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

log = structlog.get_logger(__name__)
GONE = (RedisConnectionError, RedisTimeoutError)


class ForgivingRedisCache(RedisCache):
    """Django's Redis cache whose reads miss and whose writes do nothing while Redis cannot be reached."""

    def _call(self, name: str, default: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return getattr(RedisCache, name)(self, *args, **kwargs)
        except GONE:
            log.warning("cache_unreachable", operation=name)
            return default

    def get(self, key: Any, default: Any = None, version: int | None = None) -> Any:
        return self._call("get", default, key, default, version=version)

    def get_many(self, keys: Any, version: int | None = None) -> Any:
        return self._call("get_many", {}, keys, version=version)

    def set(self, key: Any, value: Any, *args: Any, **kwargs: Any) -> Any:
        return self._call("set", None, key, value, *args, **kwargs)

    def add(self, key: Any, value: Any, *args: Any, **kwargs: Any) -> Any:
        return self._call("add", True, key, value, *args, **kwargs)

    def delete(self, key: Any, version: int | None = None) -> Any:
        return self._call("delete", False, key, version=version)

    def incr(self, key: Any, delta: int = 1, version: int | None = None) -> Any:
        return self._call("incr", delta, key, delta, version=version)

    def touch(self, key: Any, *args: Any, **kwargs: Any) -> Any:
        return self._call("touch", False, key, *args, **kwargs)
