"""What an operator starts from: the image, the compose file, the proxy, the example settings and the handbook."""

import ast
import os
import re
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import environ
import pytest
import yaml
from django.conf import settings

from inference.card import MODELS_VARIABLE
from inference.imaging.limits import DECODE_CODES, Limits

ROOT = Path(settings.BASE_DIR)
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
NGINX = re.sub(r"^\s*#.*$", "", (ROOT / "deploy/nginx.conf").read_text(), flags=re.MULTILINE)
ENV_EXAMPLE = (ROOT / ".env.example").read_text()
HANDBOOK = (ROOT / "docs/operating.md").read_text()
OWN = ("web", "worker", "sweeper", "migrate")
# Debian's release, and the major version of the PostgreSQL client that it ships.
POSTGRES_OF = {"bookworm": "15", "trixie": "17"}
UNITS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}


def setting_names() -> set[str]:
    """Variables that bonescan/settings.py reads."""
    return set(re.findall(r"\benv\.\w+\(\s*\"([A-Z][A-Z0-9_]*)\"", (ROOT / "bonescan/settings.py").read_text()))


def gunicorn_names() -> set[str]:
    return set(re.findall(r"\bos\.environ\.get\(\"([A-Z_]+)\"", (ROOT / "deploy/gunicorn.conf.py").read_text()))


def decode_names() -> set[str]:
    return {f"BONESCAN_DECODE_{field.name.upper()}" for field in fields(Limits)}


def compose_names() -> set[str]:
    """Variables that compose itself puts into compose.yaml."""
    return set(re.findall(r"\$\{([A-Z_]+)", (ROOT / "compose.yaml").read_text()))


def known_names() -> set[str]:
    plain = setting_names() | gunicorn_names() | decode_names()
    return plain | {f"{name}_FILE" for name in plain} | compose_names() | {MODELS_VARIABLE}


def rows_of(name: str) -> list[str]:
    """Table rows of the handbook whose first cell names this word as code."""
    return [line for line in HANDBOOK.splitlines() if line.startswith("|") and f"`{name}`" in line.split(" | ")[0]]


def example_lines(*, active: bool) -> dict[str, str]:
    """NAME=value of .env.example; those that are commented out when not active."""
    start = "" if active else "#"
    return dict(re.findall(rf"^{start}([A-Z][A-Z0-9_]*)=(.*)$", ENV_EXAMPLE, flags=re.MULTILINE))


def stages() -> list[str]:
    return re.split(r"^(?=FROM )", DOCKERFILE, flags=re.MULTILINE)[1:]


def directive(name: str) -> list[str]:
    """The values of a directive of nginx.conf, wherever it stands."""
    return [value.strip() for value in re.findall(rf"(?:^|[{{;])\s*{name}\s+([^;]+);", NGINX, flags=re.MULTILINE)]


# --- the image ---------------------------------------------------------------------------------------------------


def test_the_image_is_built_in_two_stages_and_only_the_first_can_compile() -> None:
    first, last = stages()
    assert re.search(r"\bgcc\b", first)
    assert not re.search(r"\b(gcc|g\+\+|build-essential|libc6-dev|make|pip install)\b", last)
    assert "COPY --from=build" in last


def test_the_image_runs_as_a_user_without_rights() -> None:
    last = stages()[-1]
    user = re.findall(r"^USER (\S+)$", last, flags=re.MULTILINE)
    assert user == ["bonescan"]
    assert re.search(r"useradd [^\n]*--uid 10001[^\n]* bonescan$", last, flags=re.MULTILINE)
    assert last.index("\nUSER ") < last.index("\nCMD ")
    assert not re.search(r"^(RUN|COPY|ADD) ", last[last.index("\nUSER ") :], flags=re.MULTILINE)


def test_another_wheel_index_can_be_given_for_the_build_and_none_is_the_default() -> None:
    first = stages()[0]
    assert re.search(r'^ARG WHEEL_INDEX=""$', first, flags=re.MULTILINE)
    assert '${WHEEL_INDEX:+--extra-index-url "$WHEEL_INDEX"}' in first
    assert all(SERVICES[name]["build"]["args"] == {"WHEEL_INDEX": "${WHEEL_INDEX:-}"} for name in OWN)


def test_neither_secrets_nor_data_get_into_the_image() -> None:
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert {".git", ".env", "var", "deploy/secrets", "deploy/tls"} <= set(ignored)
    assert {"deploy/secrets/", "deploy/tls/", ".env", "var/"} <= set((ROOT / ".gitignore").read_text().split())


def test_the_backup_client_is_as_new_as_the_server() -> None:
    (release,) = set(re.findall(r"^FROM python:\S+-slim-(\w+)", DOCKERFILE, flags=re.MULTILINE))
    assert "postgresql-client" in stages()[-1]
    server = SERVICES["postgres"]["image"].partition(":")[2]
    assert re.match(r"\d+", server)[0] == POSTGRES_OF[release]  # type: ignore[index]


# --- compose -----------------------------------------------------------------------------------------------------


def test_only_the_proxy_publishes_ports() -> None:
    assert [name for name, service in SERVICES.items() if service.get("ports")] == ["nginx"]
    assert not any(service.get("network_mode") for service in SERVICES.values())


def test_database_and_broker_and_worker_have_no_way_out() -> None:
    assert COMPOSE["networks"]["inside"]["internal"] is True
    inside = {name for name, service in SERVICES.items() if service["networks"] == ["inside"]}
    assert {"worker", "sweeper", "migrate", "postgres", "redis"} <= inside


def test_every_service_that_stays_says_whether_it_is_healthy() -> None:
    silent = []
    for name, service in SERVICES.items():
        if service.get("restart") == "no":
            continue  # ends by itself
        check = service.get("healthcheck", {"test": "HEALTHCHECK" in stages()[-1] and service.get("image")})
        if check.get("disable") or not check.get("test"):
            silent.append(name)
    assert silent == []
    assert SERVICES["migrate"]["restart"] == "no"


def test_scripts_that_containers_call_are_there() -> None:
    called = re.findall(r"\"(deploy/[\w.]+)\"", DOCKERFILE) + [
        part for service in SERVICES.values() for part in service.get("healthcheck", {}).get("test", []) if "/" in part
    ]
    scripts = [part for part in called if part.startswith("deploy/")]
    assert "deploy/gunicorn.conf.py" in scripts
    assert [script for script in scripts if not (ROOT / script).is_file()] == []


def test_services_of_the_portal_hold_no_more_rights_than_they_need() -> None:
    for name in (*OWN, "nginx"):
        service = SERVICES[name]
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in service["security_opt"], name
        assert not service.get("privileged"), name


def test_further_models_are_mounted_read_only_into_every_process_of_the_portal() -> None:
    for name in OWN:
        place = SERVICES[name]["environment"][MODELS_VARIABLE]
        assert f"${{{MODELS_VARIABLE}:-models}}:{place}:ro" in SERVICES[name]["volumes"], name
    assert "models" in COMPOSE["volumes"], "without a folder of the operator's an empty volume takes its place"


def test_nothing_starts_before_the_database_has_its_tables() -> None:
    for name in ("web", "worker", "sweeper"):
        assert SERVICES[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    assert SERVICES["migrate"]["depends_on"]["postgres"] == {"condition": "service_healthy"}


def test_secrets_come_as_files_and_never_as_text() -> None:
    secret = re.compile(r"PASSWORD|SECRET|DATABASE_URL|_KEY$|TOKEN")
    for name, service in SERVICES.items():
        for variable, value in service.get("environment", {}).items():
            if secret.search(variable):
                assert variable.endswith("_FILE"), (name, variable)
                assert value.removeprefix("/run/secrets/") in service["secrets"], (name, variable)
    for used in (entry for service in SERVICES.values() for entry in service.get("secrets", [])):
        assert COMPOSE["secrets"][used]["file"] == f"./deploy/secrets/{used}"
    assert not [name for name in example_lines(active=True) if secret.search(name)]


def test_the_script_makes_every_secret_once_and_keeps_it(tmp_path: Path) -> None:
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    (tmp_path / "deploy").mkdir()
    script = shutil.copy(ROOT / "deploy/make_secrets.sh", tmp_path / "deploy")
    made = []
    for _ in range(2):
        subprocess.run(["bash", script, "bonescan.hospital.example"], check=True, capture_output=True)
        files = sorted((tmp_path / "deploy").glob("*/*"))
        made.append({file.name: file.read_text() for file in files})
    first, second = made
    assert first == second
    assert {*COMPOSE["secrets"], "fullchain.pem", "privkey.pem"} == set(first)
    assert first["database_url"] == f"postgres://bonescan:{first['postgres_password']}@postgres:5432/bonescan"
    assert len(first["secret_key"]) >= 50
    assert (tmp_path / "deploy/secrets").stat().st_mode & 0o077 == 0


# --- the proxy ---------------------------------------------------------------------------------------------------


def test_the_proxy_lets_the_largest_film_through() -> None:
    found = re.search(r'"MAX_UPLOAD_BYTES", default=(\d+) \* 1024 \* 1024', (ROOT / "bonescan/settings.py").read_text())
    assert found
    largest = int(found[1]) * 1024**2
    (value,) = directive("client_max_body_size")
    size = int(value.rstrip("kmg")) * UNITS[value[-1] if value[-1].isalpha() else ""]
    assert size > largest, "a form has other fields too"
    assert Limits().max_input_bytes >= largest


def test_the_proxy_takes_requests_whole_and_is_patient_with_nobody_for_long() -> None:
    assert directive("proxy_request_buffering") == ["on"]
    for name in ("client_header_timeout", "client_body_timeout", "send_timeout"):
        (value,) = directive(name)
        assert int(value.removesuffix("s")) <= 30, name


def test_the_proxy_speaks_modern_tls_only_and_sends_plain_http_there() -> None:
    assert directive("ssl_protocols") == ["TLSv1.2 TLSv1.3"]
    assert all("ssl" in value for value in directive("listen") if "8443" in value)
    assert "return 308 https://$host$request_uri" in NGINX


def test_the_access_log_holds_no_query_string() -> None:
    (formatted,) = directive("log_format")
    assert "$uri" in formatted
    assert not re.search(r"\$(request_uri|request\b|args|query_string|is_args|http_referer|arg_)", formatted)
    assert set(directive("access_log")) <= {"/dev/stdout access", "off"}


def test_the_portal_is_told_one_address_that_the_client_cannot_forge() -> None:
    headers = dict(value.split(None, 1) for value in directive("proxy_set_header"))
    assert headers["X-Forwarded-For"] == "$remote_addr"
    assert headers["X-Forwarded-Proto"] == "https"
    assert headers["X-Request-ID"] == "$request_id"
    assert SERVICES["web"]["environment"]["TRUSTED_PROXY_COUNT"] == "1"


def test_nginx_accepts_its_configuration(tmp_path: Path) -> None:
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if nginx is None:
        pytest.skip("nginx is not installed")
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    certificate = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    files = ["-keyout", str(tmp_path / "privkey.pem"), "-out", str(tmp_path / "fullchain.pem")]
    subprocess.run([*certificate, *files], check=True, capture_output=True)
    text = (ROOT / "deploy/nginx.conf").read_text()
    for old, new in (
        # First, because the folder that the others name lies below it.
        ("/tmp/", f"{tmp_path}/"),
        ("server web:8000", "server 127.0.0.1:8000"),
        ("/etc/nginx/tls", str(tmp_path)),
        ("/var/cache/nginx", str(tmp_path)),
        ("/dev/stdout", str(tmp_path / "access.log")),
        ("/dev/stderr", str(tmp_path / "error.log")),
    ):
        text = text.replace(old, new)
    (tmp_path / "nginx.conf").write_text(text)
    done = subprocess.run(
        [nginx, "-t", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


# --- settings ----------------------------------------------------------------------------------------------------


def test_every_variable_in_compose_and_in_the_example_is_read_by_something() -> None:
    given = {name for service in OWN for name in SERVICES[service].get("environment", {})}
    given |= set(example_lines(active=True)) | set(example_lines(active=False))
    assert given >= {"SECRET_KEY_FILE", "ALLOWED_HOSTS", "EMAIL_URL"}
    assert given - known_names() == set()


def test_the_mail_address_of_the_example_is_one_that_the_portal_understands() -> None:
    value = example_lines(active=False)["EMAIL_URL"]
    assert environ.Env.email_url_config(value)["EMAIL_USE_TLS"] is True


def test_a_production_like_environment_passes_the_deployment_check(tmp_path: Path) -> None:
    (tmp_path / "secret_key").write_text(secrets.token_urlsafe(50))
    environment = {
        **example_lines(active=True),
        "TIME_ZONE": "Europe/Lisbon",  # the example leaves it to the hospital
        "PATH": os.environ["PATH"],
        "OMP_NUM_THREADS": "1",
        "BONESCAN_HOME": str(tmp_path / "home"),
        "SECURE": "1",
        "SECRET_KEY_FILE": str(tmp_path / "secret_key"),
        "TRUSTED_PROXY_COUNT": SERVICES["web"]["environment"]["TRUSTED_PROXY_COUNT"],
        "REDIS_URL": SERVICES["web"]["environment"]["REDIS_URL"],
        "DATABASE_URL": "postgres://bonescan:password@postgres:5432/bonescan",
        "EMAIL_URL": "smtp+tls://mail.hospital.example:587",
    }
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "no issues (0 silenced)" in done.stdout


# --- the handbook ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", sorted(setting_names() | gunicorn_names() | decode_names() | compose_names()), ids=lambda name: str(name)
)
def test_the_handbook_has_a_row_for_every_variable(name: str) -> None:
    (row,) = rows_of(name)
    assert row.count(" | ") >= 2, "variable, default, meaning"


def test_the_handbook_names_no_variable_that_nothing_reads() -> None:
    tools = {"DJANGO_SETTINGS_MODULE", "OMP_NUM_THREADS", "BONESCAN_DATA"}
    chapter = HANDBOOK[HANDBOOK.index("\n## Settings") : HANDBOOK.index("\n## Mail")]
    named = set(re.findall(r"^\| `([A-Z][A-Z0-9_]*)` \|", chapter, flags=re.MULTILINE))
    assert named - known_names() - tools == set()


@pytest.mark.parametrize("field", fields(Limits), ids=lambda field: field.name)
def test_the_handbook_gives_the_decode_limits_as_they_are(field: Any) -> None:
    (row,) = rows_of(f"BONESCAN_DECODE_{field.name.upper()}")
    assert f"`{field.default}`" in row


def calls() -> Iterator[tuple[str, list[str]]]:
    """Every call in the portal's own code: the last part of what is called, and the texts of its first argument."""
    for app in ("accounts", "analyses", "bonescan", "inference"):
        for path in (ROOT / app).rglob("*.py"):
            if {"tests", "lab", "migrations"} & set(path.parts):
                continue
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call):
                    name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                    # `_record(request, "view_audit_log")`: the action may come second.
                    yield name, [text for argument in node.args[:2] for text in texts(argument)]


def texts(node: ast.expr) -> list[str]:
    """The text of a constant, or both of a choice between two."""
    if isinstance(node, ast.IfExp):
        return texts(node.body) + texts(node.orelse)
    return [node.value] if isinstance(node, ast.Constant) and isinstance(node.value, str) else []


WORD = re.compile(r"[a-z]+(_[a-z]+)*")


def test_the_handbook_explains_every_action_of_the_audit_log() -> None:
    recorders = {"record", "_record", "_record_on"}
    actions = {text for name, found in calls() if name in recorders for text in found if WORD.fullmatch(text)}
    assert {"view_case", "search_cases", "view_audit_log", "backup_created"} <= actions
    assert sorted(action for action in actions if not rows_of(action)) == []


def test_the_handbook_says_what_to_do_about_every_code() -> None:
    errors = {"ServiceError", "Invalid", "Conflict", "Unprocessable", "StorageFull", "Refused", "_refused"}
    errors |= {"InferenceError", "WeightsError", "release", "fail"}
    codes = {found[0] for name, found in calls() if name in errors and found and WORD.fullmatch(found[0])}
    assert {"storage_full", "identity_unconfirmed", "last_administrator", "weights_mismatch"} <= codes
    elsewhere = {"original_missing", "internal_error", "attempts_exhausted", "not_a_bone_radiograph", "blank_image"}
    elsewhere |= {"no_model_for_modality", "throttled", "database_unavailable", "csrf_failed", "invalid_token"}
    assert sorted(code for code in codes | elsewhere | set(DECODE_CODES) if not rows_of(code)) == []


def test_the_handbook_explains_every_start_up_check() -> None:
    ids = set(re.findall(r"id=\"(bonescan\.[EW]\d+)\"", (ROOT / "bonescan/checks.py").read_text()))
    assert len(ids) >= 9
    assert sorted(name for name in ids if not rows_of(name)) == []


def test_the_commands_of_the_handbook_exist() -> None:
    named = set(re.findall(r"manage\.py ([a-z_]+)", HANDBOOK))
    own = {
        path.stem
        for app in ("accounts", "analyses", "bonescan")
        for path in (ROOT / app).glob("management/commands/*.py")
    }
    assert {"backup", "restore", "create_person", "create_department", "count_results"} <= named
    assert named - own == {"check"}
