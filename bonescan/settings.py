"""One settings file, driven by the environment: safe by default, failing fast.

Nothing but SECRET_KEY is required. Without DATABASE_URL and REDIS_URL the portal runs on SQLite
and on files, for one machine; with both it is the same code on Postgres and Redis.
"""

import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import environ
from csp.constants import NONE, SELF

from bonescan.monitoring.logs import logging_config, structlog_config

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.FileAwareEnv()

# The one place that says it is pyproject.toml; CHANGELOG.md has a section for it.
VERSION: str = tomllib.loads((BASE_DIR / "pyproject.toml").read_text())["project"]["version"]

# --- where things live -------------------------------------------------------------------------
HOME = Path(env.str("BONESCAN_HOME", default=str(BASE_DIR / "var")))
HOME.mkdir(parents=True, exist_ok=True)

# --- core ------------------------------------------------------------------------------------------
DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY", default="")
if not SECRET_KEY and (HOME / "secret_key").exists():
    SECRET_KEY = (HOME / "secret_key").read_text().strip()
if not SECRET_KEY:
    raise environ.ImproperlyConfigured("Set SECRET_KEY (or SECRET_KEY_FILE); `make run` creates one for testing.")
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
# The address people reach the portal at: it stands in e-mails and in the verification line of reports.
PUBLIC_URL = env.str("PUBLIC_URL", default="http://127.0.0.1:8000").rstrip("/")
ROOT_URLCONF = "bonescan.urls"
WSGI_APPLICATION = "bonescan.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
SITE_ID = None

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "csp",
    "django_filters",
    "django_htmx",
    "django_structlog",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "bonescan",
    "accounts",
    "analyses",
]

MIDDLEWARE = [
    "bonescan.middleware.ReadableRequestMiddleware",
    "bonescan.middleware.UnavailableMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "bonescan.middleware.NothingKeptMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_structlog.middlewares.RequestMiddleware",
    "accounts.sign_in.middleware.RequestContextMiddleware",
    "accounts.sign_in.middleware.SessionLimitMiddleware",
    "accounts.sign_in.middleware.LanguageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "accounts.sign_in.middleware.SignInRequiredMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            # One app, many rooms: each room keeps its tags beside its rules.
            "libraries": {
                "cases": "analyses.answers.tags",
                "people": "analyses.record.tags",
                "outcomes": "analyses.evidence.outcomes.tags",
                "reader_studies": "analyses.evidence.reader_studies.tags",
                "readings": "analyses.case_page.referral_tags",
                "stored_words": "analyses.model_pages.tags",
                "viewer": "analyses.viewer.tags",
                "worklist": "analyses.case_page.tags",
                "notification_choices": "analyses.notifications.tags",
            },
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "bonescan.context.shell",
            ],
        },
    },
]

# --- database -------------------------------------------------------------------------------------------
_database_url = env.str("DATABASE_URL", default="") or f"sqlite:///{HOME / 'bonescan.sqlite3'}"
DATABASES = {"default": env.db_url_config(_database_url)}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["OPTIONS"] = {
        "timeout": 20,
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;",
    }
    # Tables shared in memory are locked without waiting; the server of the browser tests and its tests meet in a file.
    DATABASES["default"]["TEST"] = {"NAME": str(HOME / "test.sqlite3")}
else:
    # A unix socket is written percent-encoded in the URL's host, as libpq reads it.
    DATABASES["default"]["HOST"] = unquote(DATABASES["default"]["HOST"])
    DATABASES["default"]["CONN_MAX_AGE"] = env.int("CONN_MAX_AGE", default=60)
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
    DATABASES["default"].setdefault("OPTIONS", {})["connect_timeout"] = 3

# --- cache: throttles and sign-in limits must be shared by all web processes ---------------------------
REDIS_URL = env.str("REDIS_URL", default="")
if REDIS_URL:
    CACHES = {
        "default": {
            "BACKEND": "bonescan.backends.cache.ForgivingRedisCache",
            "LOCATION": REDIS_URL,
            "KEY_PREFIX": "bonescan",
            "OPTIONS": {"socket_connect_timeout": 0.5, "socket_timeout": 0.5},
        }
    }
else:
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
            "LOCATION": str(HOME / "cache"),
        }
    }

# --- people -------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "account_login"
ACCOUNT_ADAPTER = "accounts.sign_in.adapter.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
ACCOUNT_RATE_LIMITS = {"login": "30/m/ip", "login_failed": "10/m/ip,5/5m/key", "reset_password": "20/m/ip,5/m/key"}
ALLAUTH_TRUSTED_PROXY_COUNT = env.int("TRUSTED_PROXY_COUNT", default=0)
PASSWORD_RESET_TIMEOUT = 3600

SESSION_IDLE_S = env.int("SESSION_IDLE_S", default=15 * 60)
SESSION_ABSOLUTE_S = env.int("SESSION_ABSOLUTE_S", default=12 * 3600)
SESSION_COOKIE_AGE = SESSION_ABSOLUTE_S
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "bonescan.views.csrf_failure"

EMAIL_CONFIG = env.email_url_config(env.str("EMAIL_URL", default="") or "dummymail://")
vars().update(EMAIL_CONFIG)
# Without a mail server nothing of a message is written anywhere: the log would hold links that set a password.
if EMAIL_CONFIG["EMAIL_BACKEND"].endswith(("console.EmailBackend", "dummy.EmailBackend")):
    EMAIL_BACKEND = "accounts.mail.DroppedMail"
# A mail server that hangs must not hold up the person whose action sends the mail.
EMAIL_TIMEOUT = 5
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="bonescan@localhost")

# --- transport security: on unless the operator says that this is a loopback trial ------------------------
SECURE = env.bool("SECURE", default=True)
SECURE_SSL_REDIRECT = SECURE
SECURE_REDIRECT_EXEMPT = [r"^livez$", r"^readyz$"]
SESSION_COOKIE_SECURE = SECURE
CSRF_COOKIE_SECURE = SECURE
SECURE_HSTS_SECONDS = 31536000 if SECURE else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE
SECURE_HSTS_PRELOAD = SECURE
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
if env.int("TRUSTED_PROXY_COUNT", default=0):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
        "object-src": [NONE],
        "manifest-src": [SELF],
    }
}

# --- files ----------------------------------------------------------------------------------------------------
STATIC_URL = "/static/"
PLAIN_STATIC = env.bool("PLAIN_STATIC", default=DEBUG)
STATIC_ROOT = Path(env.str("STATIC_ROOT", default=str(HOME / "staticfiles")))
STATICFILES_DIRS = [BASE_DIR / "static"]
MEDIA_ROOT = HOME / "media"
MEDIA_URL = ""
# One setting moves originals, derived images and reports to S3-compatible storage: STORAGE_URL=s3://bucket
STORAGE_URL = env.str("STORAGE_URL", default="")
if STORAGE_URL.startswith("s3://"):
    _default_storage = {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": STORAGE_URL.removeprefix("s3://").split("/")[0],
            "location": STORAGE_URL.removeprefix("s3://").partition("/")[2],
            "endpoint_url": env.str("S3_ENDPOINT_URL", default=None),
            "access_key": env.str("S3_ACCESS_KEY", default=None),
            "secret_key": env.str("S3_SECRET_KEY", default=None),
            "region_name": env.str("S3_REGION", default="us-east-1"),
            "default_acl": None,
            "file_overwrite": False,
            "querystring_auth": True,
        },
    }
elif STORAGE_URL:
    raise environ.ImproperlyConfigured("STORAGE_URL must be empty (local disk) or s3://bucket[/folder]")
else:
    _default_storage = {"BACKEND": "django.core.files.storage.FileSystemStorage"}
STORAGES = {
    "default": _default_storage,
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if PLAIN_STATIC
        else "whitenoise.storage.CompressedManifestStaticFilesStorage",
        # For whichever user the web process has; the uploads' own permissions (below) are for nobody else.
        "OPTIONS": {"file_permissions_mode": 0o644, "directory_permissions_mode": 0o755},
    },
}
# Serve straight from the sources: nothing to collect and compress, for a trial and for tests.
WHITENOISE_USE_FINDERS = PLAIN_STATIC
FILE_UPLOAD_PERMISSIONS = 0o600
FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o700
FILE_UPLOAD_TEMP_DIR = str(HOME / "tmp")
Path(FILE_UPLOAD_TEMP_DIR).mkdir(parents=True, exist_ok=True)
# The first hands the others a body whose heads they can read.
FILE_UPLOAD_HANDLERS = [
    "bonescan.uploads.HeadsInUtf8",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "django.core.files.uploadhandler.TemporaryFileUploadHandler",
]
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
MAX_UPLOAD_BYTES = env.int("MAX_UPLOAD_BYTES", default=128 * 1024 * 1024)

# --- the queue: the database holds the work, Celery only wakes a worker -------------------------------------
LEASE_S = env.int("LEASE_S", default=30)
MAX_ATTEMPTS = env.int("MAX_ATTEMPTS", default=4)
SWEEP_INTERVAL_S = env.float("SWEEP_INTERVAL_S", default=5.0)
WAKE_AGAIN_S = env.int("WAKE_AGAIN_S", default=10)
DECODE_SOCKET = env.str("DECODE_SOCKET", default=str(HOME / "decode.sock"))
CELERY_BROKER_URL = REDIS_URL or "filesystem://localhost//"
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_DEFAULT_QUEUE = "analyses"
CELERY_TASK_ACKS_LATE = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_DB_REUSE_MAX = 500
CELERY_TASK_SOFT_TIME_LIMIT = 108
CELERY_TASK_TIME_LIMIT = 120
# A new child loads torch and the weights before it reports for work.
CELERY_WORKER_PROC_ALIVE_TIMEOUT = 60
# A wake that cannot be sent must not hold up an upload: the sweeper sends it again.
CELERY_TASK_PUBLISH_RETRY = False
if REDIS_URL:
    CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = {
        "visibility_timeout": 132,
        "socket_connect_timeout": 0.5,
        "socket_timeout": 5,
        # An upload must not wait for a broker that is away: one try, and the sweeper sends the message later.
        "max_retries": 0,
        "interval_start": 0,
    }
else:
    _queue_dir = HOME / "queue"
    for _name in ("messages", "control"):
        (_queue_dir / _name).mkdir(parents=True, exist_ok=True)
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(_queue_dir / "messages"),
        "data_folder_out": str(_queue_dir / "messages"),
        "control_folder": str(_queue_dir / "control"),
        "polling_interval": 0.05,
    }

# --- API --------------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "analyses.api.authentication.TokenAuthentication",
        "analyses.api.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["analyses.api.permissions.ActionPermission"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.MultiPartParser", "rest_framework.parsers.JSONParser"],
    "DEFAULT_THROTTLE_CLASSES": ["analyses.api.throttling.TokenRateThrottle"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_PAGINATION_CLASS": "analyses.api.pagination.PageNumberPagination",
    "EXCEPTION_HANDLER": "analyses.api.errors.exception_handler",
    "DEFAULT_VERSIONING_CLASS": None,
    "UNAUTHENTICATED_USER": None,
    "PAGE_SIZE": 50,
}
# Requests per minute for one token; 0 switches the limit off (only for measuring).
API_THROTTLE_PER_MINUTE = env.int("API_THROTTLE_PER_MINUTE", default=120)
SPECTACULAR_SETTINGS = {
    "TITLE": "BoneScan API",
    "VERSION": "1",
    "DESCRIPTION": "Post bone radiographs, retrieve the model's answer and download reports. A research device.",
    "COMPONENT_SPLIT_REQUEST": True,
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
}

# --- words and time ------------------------------------------------------------------------------------------------
LANGUAGE_CODE = "en-gb"
# As accounts.models.Language; a user's choice and a department's default are both among them.
LANGUAGES = [("en-gb", "English"), ("de", "Deutsch")]
LOCALE_PATHS = [BASE_DIR / "locale"]
# Dates in English stay ISO 8601, which no reader mistakes.
FORMAT_MODULE_PATH = ["bonescan.formats"]
TIME_ZONE = env.str("TIME_ZONE", default="") or "UTC"
TIME_ZONE_IS_STATED = bool(env.str("TIME_ZONE", default=""))
USE_I18N = True
USE_TZ = True

# --- logs -------------------------------------------------------------------------------------------------------------
LOG_LEVEL = env.str("LOG_LEVEL", default="INFO")
LOGGING = logging_config(LOG_LEVEL)
structlog_config()
DJANGO_STRUCTLOG_CELERY_ENABLED = True
DJANGO_STRUCTLOG_USER_ID_FIELD = "id"
# The proxy's id for a request is also ours; without a proxy it would be whatever the client likes.
DJANGO_STRUCTLOG_TRUST_UPSTREAM_REQUEST_ID = ALLAUTH_TRUSTED_PROXY_COUNT > 0
TOKEN_DEFAULT_LIFETIME = timedelta(days=365)

SILENCED_SYSTEM_CHECKS: list[str] = []
