"""gunicorn: a few workers with threads, recycled now and then; JSON lines without query strings."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import structlog
from gunicorn.glogging import Logger

from bonescan.monitoring.logs import json_formatter, structlog_config

wsgi_app = "bonescan.wsgi"
bind = os.environ.get("WEB_BIND", "127.0.0.1:8000")
workers = int(os.environ.get("WEB_WORKERS", "2"))
worker_class = "gthread"
threads = int(os.environ.get("WEB_THREADS", "4"))
# A request that takes longer is a fault: uploads arrive complete from the proxy, a PDF takes well under a second.
timeout = 60
graceful_timeout = 30
# Longer than the proxy keeps its idle connections (deploy/nginx.conf), so that it never reuses one that just closed.
keepalive = 75
max_requests = 5000
max_requests_jitter = 500
# The workers' heartbeat file must not wait for a disk.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108
limit_request_line = 4094
limit_request_fields = 60
control_socket_disable = True

loglevel = os.environ.get("LOG_LEVEL", "INFO").lower()
accesslog = "-" if loglevel in ("debug", "info") else None


def post_worker_init(worker: Any) -> None:  # noqa: ARG001
    """Start this process's decode server, which reads the headers of uploads, before the first upload waits for it."""
    from analyses.intake import headers

    headers.start()


class JsonLogger(Logger):
    """gunicorn's two logs in the format of the portal's own."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        structlog_config()
        for log in (self.error_log, self.access_log):
            for handler in log.handlers:
                handler.setFormatter(json_formatter())

    def access(self, resp: Any, req: Any, environ: dict[str, Any], request_time: timedelta) -> None:  # noqa: ARG002
        """One line a request: the path, never the query, which may hold what somebody searched for."""
        if not self.access_log_enabled:
            return
        structlog.stdlib.get_logger("gunicorn.access").info(
            "access",
            method=environ.get("REQUEST_METHOD"),
            path=environ.get("PATH_INFO"),
            code=int(str(resp.status).split(None, 1)[0]),
            sent_bytes=getattr(resp, "sent", None),
            duration_ms=round(request_time.total_seconds() * 1000),
            request_id=dict(resp.headers).get("X-Request-ID", ""),
        )

    def exception(self, msg: str, *args: Any, **kwargs: Any) -> None:
        """gunicorn quotes the whole address here; its query goes."""
        super().exception(msg, *(str(arg).split("?")[0] for arg in args), **kwargs)


logger_class = JsonLogger
