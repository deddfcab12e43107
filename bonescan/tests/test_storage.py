"""Films and reports on S3-compatible storage: the same portal, two settings, no file on the portal's own disk."""

import hashlib
from collections.abc import Iterator

import boto3
import pytest
import requests
from moto.server import ThreadedMotoServer

from bench.films import film_jpeg
from bench.harness import Portal, portal
from bonescan.tests.test_logs import ended
from scripts.services import free_port

pytestmark = pytest.mark.slow
BUCKET, FOLDER = "films", "orthopaedics"
# The first model draws saliency maps, which are files too; later ones do so only where their card allows it.
ANSWER_WITH_MAPS = """
from accounts.models import User
from analyses.registry.services import activate_model
from analyses.registry.uses import TUMOUR_ON_RADIOGRAPHS
admin = User.objects.get(email="admin@example.org")
activate_model(TUMOUR_ON_RADIOGRAPHS, "bonescan-paper-cnn-1.0.1", reason="draws maps", by=admin)
"""


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """The address of an S3 server with one empty bucket."""
    port = free_port()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    server.start()
    address = f"http://127.0.0.1:{port}"
    client(address).create_bucket(Bucket=BUCKET)
    yield address
    server.stop()


def client(endpoint: str):  # type: ignore[no-untyped-def]
    keys = {"aws_access_key_id": "reader", "aws_secret_access_key": "of-the-bucket", "region_name": "us-east-1"}
    return boto3.client("s3", endpoint_url=endpoint, **keys)


def objects(endpoint: str) -> dict[str, str]:
    """sha256 of every object by its name in the bucket."""
    s3 = client(endpoint)
    listed = s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])
    return {
        entry["Key"]: hashlib.sha256(s3.get_object(Bucket=BUCKET, Key=entry["Key"])["Body"].read()).hexdigest()
        for entry in listed
    }


@pytest.fixture(scope="module")
def running(endpoint: str) -> Iterator[Portal]:
    """Web, worker and sweeper that share nothing but database, broker and bucket."""
    settings = {"S3_ENDPOINT_URL": endpoint, "S3_ACCESS_KEY": "reader", "S3_SECRET_KEY": "of-the-bucket"}
    with portal(STORAGE_URL=f"s3://{BUCKET}/{FOLDER}", **settings) as started:
        started.manage("demo_passwords")
        started.manage("shell", "--no-imports", "-c", ANSWER_WITH_MAPS)
        yield started


def fetch(running: Portal, token: str, path: str) -> requests.Response:
    return requests.get(running.url + path, headers={"Authorization": f"Token {token}"}, timeout=30)


def post(running: Portal, token: str, film: bytes) -> requests.Response:
    return requests.post(
        f"{running.url}/api/v1/analyses/",
        headers={"Authorization": f"Token {token}"},
        files={"image": ("film.jpg", film)},
        data={"patient_id": "S3-0001", "patient_name": "Patient 0001"},
        timeout=30,
    )


def test_a_film_its_answer_its_report_and_its_backup_live_in_the_bucket(running, endpoint, tmp_path):
    token = running.token()
    film = film_jpeg(5)
    answer = post(running, token, film)
    assert answer.status_code == 202, answer.text
    analysis = ended(running, token, answer.json())
    assert analysis["status"] == "succeeded", analysis
    path = f"/api/v1/analyses/{analysis['id']}"
    shown = {name: fetch(running, token, f"{path}/{name}") for name in ("image.png", "saliency.png", "report.pdf")}
    assert {name: found.status_code for name, found in shown.items()} == dict.fromkeys(shown, 200)

    kept = objects(endpoint)
    assert sorted({name.split("/")[1] for name in kept}) == ["canonical", "originals", "reports", "saliency"]
    assert all(name.startswith(f"{FOLDER}/") for name in kept)
    assert hashlib.sha256(film).hexdigest() in kept.values(), "the original is unaltered"
    assert hashlib.sha256(shown["report.pdf"].content).hexdigest() in kept.values()
    assert [path for path in (running.home / "media").rglob("*") if path.is_file()] == []

    archive = tmp_path / "backup.tar"
    assert f"{len(kept)} files" in running.manage("backup", str(archive))
    for name in kept:
        client(endpoint).delete_object(Bucket=BUCKET, Key=name)
    assert fetch(running, token, f"{path}/image.png").status_code >= 400
    running.manage("restore", str(archive), "--force")
    assert objects(endpoint) == kept
    assert fetch(running, token, f"{path}/image.png").content == shown["image.png"].content


def test_the_probe_sees_the_bucket_and_leaves_nothing_in_it(running, endpoint):
    before = objects(endpoint)
    assert requests.get(f"{running.url}/readyz", timeout=10).json()["checks"]["storage"]["ok"] is True
    assert objects(endpoint) == before


def test_without_the_bucket_an_upload_is_refused_with_a_code_and_nothing_is_recorded(running, endpoint):
    token = running.token()
    kept = {
        name: client(endpoint).get_object(Bucket=BUCKET, Key=name)["Body"].read() for name in list(objects(endpoint))
    }
    for name in kept:
        client(endpoint).delete_object(Bucket=BUCKET, Key=name)
    client(endpoint).delete_bucket(Bucket=BUCKET)
    before = fetch(running, token, "/api/v1/analyses/").json()["count"]
    try:
        answer = post(running, token, film_jpeg(6))
        assert (answer.status_code, answer.json()["code"]) == (503, "storage_unavailable")
        assert fetch(running, token, "/api/v1/analyses/").json()["count"] == before
    finally:
        client(endpoint).create_bucket(Bucket=BUCKET)
        for name, data in kept.items():
            client(endpoint).put_object(Bucket=BUCKET, Key=name, Body=data)
