"""What posting a film answers: once per film and patient, safe to repeat, and never a server error for a bad body."""

import errno
import threading
from uuid import UUID

import pytest
from django.core.files.storage import default_storage
from django.db import connection
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analyses.models import Analysis, Image, Study
from analyses.tests.api_calls import ANALYSES, assert_refused, caller, film, post_film

pytestmark = pytest.mark.django_db
BOUNDARY = "boundary"
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"


@pytest.fixture
def client(token) -> Client:
    return caller(token)


def part(name: str, value: str, extra: str = "") -> str:
    return f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{extra}\r\n\r\n{value}\r\n'


def test_a_film_is_accepted_and_the_answer_says_where_to_ask(client):
    answer = post_film(client, patient_id="400122")
    assert answer.status_code == 202
    body = answer.json()
    assert set(body) == {"id", "status", "url"}
    assert body["status"] == "queued"
    assert body["url"] == answer["Location"] == f"http://testserver{ANALYSES}{body['id']}/"
    assert client.get(body["url"]).json()["id"] == body["id"]


def test_every_field_reaches_the_record(client):
    fields = {
        "patient_id": "400122",
        "patient_name": "DOE^JANE",
        "patient_birth_date": "1990-05-17",
        "patient_sex": "f",
        "accession_number": "A-1",
        "modality": "DX",
        "body_part_examined": "KNEE",
        "laterality": "l",
        "view_position": "AP",
        "study_date": "2026-03-02",
        "referring_physician_name": "REFERRER^ONE",
        "clinical_question": "Pain at night, three weeks.",
    }
    assert post_film(client, **fields).status_code == 202
    typed = Image.objects.get().typed
    assert typed == fields | {"patient_sex": "F", "laterality": "L"}
    study = Study.objects.select_related("patient").get()
    assert (study.patient.patient_id, study.accession_number, study.laterality) == ("400122", "A-1", "L")


def test_an_empty_field_counts_as_not_said(client):
    assert post_film(client, patient_birth_date="", patient_sex="", laterality="", patient_id="").status_code == 202
    assert Image.objects.get().typed == {}
    assert Study.objects.get().patient is None


def test_the_same_film_of_the_same_patient_is_answered_with_what_is_there(client):
    first = post_film(client, patient_id="1")
    second = post_film(client, patient_id="1")
    assert (first.status_code, second.status_code) == (202, 200)
    assert second.json() == first.json()
    assert second["Location"] == first["Location"]
    assert post_film(client, patient_id="2").status_code == 202
    assert Analysis.objects.count() == 2


@pytest.mark.parametrize("value", ["1", "true", "True"])
def test_again_makes_another_analysis_of_the_same_film(client, value):
    first = post_film(client, patient_id="1")
    second = post_film(client, patient_id="1", address=f"{ANALYSES}?again={value}")
    assert second.status_code == 202
    assert second.json()["id"] != first.json()["id"]
    assert Image.objects.count() == 1


@pytest.mark.parametrize("query", ["again=maybe", "agian=1", "again=1&patient_id=4"])
def test_a_query_that_means_nothing_is_refused(client, query):
    assert_refused(post_film(client, address=f"{ANALYSES}?{query}"), 400, "bad_field")
    assert not Analysis.objects.exists()


def test_films_with_one_accession_number_become_one_case(client):
    urls = [post_film(client, seed=n, patient_id="1", accession_number="A-1").json()["url"] for n in range(2)]
    assert len({client.get(url).json()["case"]["id"] for url in urls}) == 1


def test_an_idempotency_key_answers_the_same_and_refuses_another_body(client):
    first = post_film(client, key="k-1", patient_id="1")
    assert post_film(client, key="k-1", patient_id="1").json() == first.json()
    assert_refused(post_film(client, key="k-1", patient_id="2"), 422, "idempotency_key_reused")
    assert_refused(post_film(client, key="k-1", seed=1, patient_id="1"), 422, "idempotency_key_reused")
    assert Analysis.objects.count() == 1


def test_an_idempotency_key_makes_again_safe_to_repeat(client):
    post_film(client, patient_id="1")
    address = f"{ANALYSES}?again=1"
    ids = {post_film(client, key="k-1", address=address, patient_id="1").json()["id"] for _ in range(3)}
    assert len(ids) == 1
    assert Analysis.objects.count() == 2


def test_an_idempotency_key_belongs_to_its_account(client, other_token):
    first = post_film(client, key="k-1").json()
    second = post_film(caller(other_token), key="k-1", seed=1)
    assert second.status_code == 202
    assert second.json()["id"] != first["id"]


@pytest.mark.parametrize("key", ["k" * 201, "k\x00"])
def test_an_idempotency_key_that_cannot_be_kept_is_refused(client, key):
    body = assert_refused(post_film(client, key=key), 400, "bad_field")
    assert "Idempotency-Key" in body["fields"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif("connection.vendor == 'sqlite'", reason="SQLite in memory is not shared between threads")
@pytest.mark.parametrize("key", ["", "k-1"])
def test_the_same_film_posted_by_several_at_once_is_analysed_once(token, key):
    answers = []
    start = threading.Barrier(4)

    def post() -> None:
        start.wait()
        answers.append(post_film(caller(token), key=key, patient_id="1"))
        connection.close()

    threads = [threading.Thread(target=post) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 202]
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert Analysis.objects.count() == 1


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"patientid": "4"}, "patientid"),
        ({"patient_id": "4" * 65}, "patient_id"),
        ({"patient_id": "4\x00"}, "patient_id"),
        ({"patient_birth_date": "17.5.1990"}, "patient_birth_date"),
        ({"patient_birth_date": "2990-01-01"}, "patient_birth_date"),
        ({"patient_sex": "unknown"}, "patient_sex"),
        ({"laterality": "left"}, "laterality"),
        ({"clinical_question": "x" * 2001}, "clinical_question"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_stored(client, fields, wrong):
    body = assert_refused(post_film(client, **fields), 400, "bad_field")
    assert list(body["fields"]) == [wrong]
    assert not Image.objects.exists()


def test_one_request_takes_one_film(client):
    answer = client.post(ANALYSES, {"image": [film(0), film(1)]})
    assert list(assert_refused(answer, 400, "bad_field")["fields"]) == ["image"]


def test_a_body_without_a_film_is_refused(client):
    for answer in (
        client.post(ANALYSES, {"patient_id": "1"}),
        client.post(ANALYSES, {"image": "not a file"}),
        client.post(ANALYSES, b"", content_type=MULTIPART),
    ):
        assert list(assert_refused(answer, 400, "bad_field")["fields"]) == ["image"]


def test_an_empty_film_is_refused(client):
    assert_refused(client.post(ANALYSES, {"image": film(content=b"")}), 400, "empty_file")
    assert not Image.objects.exists()


@pytest.mark.parametrize("content_type", ["application/json", "image/png", "text/plain", "", "nonsense"])
def test_another_kind_of_body_is_refused(client, content_type):
    answer = client.generic("POST", ANALYSES, b"{}", content_type=content_type)
    assert_refused(answer, 415, "unsupported_media_type")


def test_a_film_above_the_limit_is_refused(client, settings):
    settings.MAX_UPLOAD_BYTES = 100
    assert_refused(post_film(client), 413, "too_large")


def test_a_body_far_above_the_limit_is_refused_before_it_is_read(client, settings):
    settings.MAX_UPLOAD_BYTES = 100
    unread = client.generic("POST", ANALYSES, b"", content_type=MULTIPART, CONTENT_LENGTH=str(2 * 1024**2))
    assert_refused(unread, 413, "too_large")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_said_and_leaves_nothing(client, monkeypatch, number):
    def full(*_args, **_kwargs):
        raise OSError(number, "no room")

    monkeypatch.setattr(default_storage, "save", full)
    monkeypatch.setattr("django.core.files.storage.FileSystemStorage._save", full)
    assert_refused(post_film(client), 507, "storage_full")
    assert not Image.objects.exists()


def test_a_disk_that_fills_up_while_the_body_arrives_is_said(client, monkeypatch):
    def full(*_args, **_kwargs):
        raise OSError(errno.ENOSPC, "no room")

    monkeypatch.setattr("django.core.files.uploadhandler.MemoryFileUploadHandler.receive_data_chunk", full)
    assert_refused(post_film(client), 507, "storage_full")


BROKEN = [
    b"",
    b"--",
    b"--boundary--",
    b"no boundary at all",
    b"--boundary\r\n",
    b"--boundary\r\nContent-Disposition: form-data\r\n\r\nx\r\n--boundary--",
    b'--boundary\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n',
    b'--boundary\r\nContent-Disposition: form-data; name="image"; filename=""\r\n\r\nx\r\n--boundary--',
    b'--boundary\r\nContent-Disposition: form-data; name="image"; filename="../../a"\r\n\r\n\r\n--boundary--',
    b'--boundary\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n'
    b"Content-Transfer-Encoding: base64\r\n\r\n!!!\r\n--boundary--",
    b'--boundary\r\nContent-Disposition: form-data; name="\xff\xfe"\r\n\r\n\x00\xff\r\n--boundary--',
    b'--boundary\r\nContent-Disposition: form-data; name="patient_id"\r\n\r\n\xed\xa0\x80\r\n--boundary--',
    "".join(part(f"f{n}", "x") for n in range(1200)).encode() + b"--boundary--",
    "".join(part(f"f{n}", "x", f'; filename="{n}"') for n in range(150)).encode() + b"--boundary--",
    (part("patient_name", "x" * 3_000_000) + f"--{BOUNDARY}--").encode(),
]


@pytest.mark.parametrize("body", BROKEN, ids=range(len(BROKEN)))
def test_a_broken_body_is_the_senders_error(client, body):
    answer = client.generic("POST", ANALYSES, body, content_type=MULTIPART)
    assert answer.status_code == 400
    assert set(answer.json()) == {"code", "detail", "fields"}
    assert not Image.objects.exists()


@pytest.mark.parametrize("name", ["../../etc/passwd", "a" * 900, "DOE^JANE.dcm", "\u202egpj.exe", "%00"])
def test_a_file_name_decides_nothing_and_is_not_kept(client, name):
    body = part("image", "x", f'; filename="{name}"').encode() + f"--{BOUNDARY}--".encode()
    assert client.generic("POST", ANALYSES, body, content_type=MULTIPART).status_code == 202
    image = Image.objects.get()
    assert UUID(image.original_file.removeprefix("originals/"))
    assert image.typed == {}


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=" + "b" * 300,
        "multipart/form-data; boundary=\xff",
        "multipart/form-data; boundary=boundary; charset=nonsense",
    ],
)
def test_a_broken_content_type_is_the_senders_error(client, content_type):
    answer = client.generic("POST", ANALYSES, b"--boundary--", content_type=content_type)
    assert answer.status_code == 400
    assert set(answer.json()) == {"code", "detail", "fields"}


@given(body=st.binary(max_size=400), inside=st.booleans())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_garbage_is_a_server_error(client, body, inside):
    if inside:
        body = f"--{BOUNDARY}\r\nContent-Disposition: form-data; ".encode() + body + f"\r\n--{BOUNDARY}--".encode()
    answer = client.generic("POST", ANALYSES, body, content_type=MULTIPART)
    assert 400 <= answer.status_code < 500
    assert set(answer.json()) == {"code", "detail", "fields"}
