"""Bodies as clients really send them: read rightly, or refused with a code that says why; pages and API alike."""

import gzip
import io

import pytest

from analyses.models import Image, Patient
from analyses.tests.factories import png_bytes
from bonescan.uploads import ReadableHeads

pytestmark = pytest.mark.django_db
BOUNDARY = "bnd"
API = "/api/v1/analyses/"


def part(head: bytes, value: bytes) -> bytes:
    return b"--bnd\r\nContent-Disposition: form-data; " + head + b"\r\n\r\n" + value + b"\r\n"


def film(name: bytes = b"film.png") -> bytes:
    return part(b'name="image"; filename="' + name + b'"\r\nContent-Type: image/png', png_bytes())


def field(name: str, value: bytes) -> bytes:
    return part(f'name="{name}"'.encode(), value)


END = b"--bnd--\r\n"


@pytest.fixture(params=["api", "page"])
def send(request, client, doctor, token):
    """Posts these bytes as they are."""

    def post(body: bytes, content_type: str = f"multipart/form-data; boundary={BOUNDARY}", **headers):
        if request.param == "api":
            client.logout()
            headers = {"HTTP_AUTHORIZATION": f"Token {token}"} | headers
            return client.generic("POST", API, body, content_type=content_type, **headers)
        client.force_login(doctor)
        headers = {"HTTP_ACCEPT": "application/json"} | headers
        return client.generic("POST", "/upload/", body, content_type=content_type, **headers)

    return post


def test_a_body_in_utf8_is_read(send):
    answer = send(film() + field("patient_id", b"R1") + field("patient_name", "Müller".encode()) + END)
    assert answer.status_code == 202
    assert Patient.objects.get().patient_name == "Müller"


@pytest.mark.parametrize("name", ["patient_name", "patient_id", "clinical_question"])
def test_a_field_that_is_not_utf8_is_refused_and_said_to_be_so(send, name):
    answer = send(film() + field("patient_id", b"R1") * (name != "patient_id") + field(name, b"M\xfcller") + END)
    assert (answer.status_code, answer.json()["code"], list(answer.json()["fields"])) == (400, "bad_field", [name])
    assert "UTF-8" in answer.json()["fields"][name][0]
    assert not Patient.objects.exists()


@pytest.mark.parametrize("name", [b"R\xf6ntgen.png", b"\x93\xfa\x96\x7b.png", "Röntgen.png".encode()])
def test_a_file_name_in_any_charset_is_read(send, name):
    answer = send(film(name) + field("patient_id", b"R1") + END)
    assert answer.status_code == 202
    assert Image.objects.get().original_size_bytes == len(png_bytes())


@pytest.mark.parametrize("name", ["patient_id", "patient_birth_date", "laterality"])
def test_a_field_sent_twice_is_refused(send, name):
    value = {"patient_birth_date": b"1990-01-01", "laterality": b"L"}.get(name, b"R1")
    for other in (value, value[:-1] + b"2"):
        answer = send(film() + field(name, value) + field(name, other) + END)
        assert (answer.status_code, answer.json()["code"], list(answer.json()["fields"])) == (400, "bad_field", [name])
    assert not Image.objects.exists()


@pytest.mark.parametrize("kind", ["Multipart/Form-Data; Boundary=bnd", 'MULTIPART/FORM-DATA;BOUNDARY="bnd"'])
def test_the_case_of_the_media_type_says_nothing(send, kind):
    assert send(film() + field("patient_id", b"R1") + END, kind).status_code == 202


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "GZIP", "identity, gzip"])
def test_a_compressed_body_is_refused_with_the_reason(send, coding):
    answer = send(gzip.compress(film() + END), HTTP_CONTENT_ENCODING=coding)
    assert (answer.status_code, answer.json()["code"]) == (415, "content_encoding_not_accepted")


def test_identity_is_no_compression(send):
    assert send(film() + field("patient_id", b"R1") + END, HTTP_CONTENT_ENCODING="identity").status_code == 202


def test_a_body_in_chunks_is_refused_with_the_reason(send):
    answer = send(film() + END, HTTP_TRANSFER_ENCODING="chunked", CONTENT_LENGTH="")
    assert (answer.status_code, answer.json()["code"]) == (411, "length_required")


def test_people_get_the_reason_as_a_page(client, doctor):
    client.force_login(doctor)
    answer = client.post("/upload/", {}, headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 415
    assert "Compressed requests are not accepted." in answer.content.decode()


class Trickle(io.BytesIO):
    """Gives as little as the network may."""

    def __init__(self, data: bytes, step: int) -> None:
        super().__init__(data)
        self.step = step

    def read(self, size=-1):
        return super().read(min(self.step, size) if size >= 0 else self.step)


@pytest.mark.parametrize("step", [1, 2, 7, 64, 65536])
def test_only_heads_are_changed_wherever_the_network_cuts(step):
    value = b"\xff\r\n--bn\r\n\r\n\xfe--bnd" + bytes(range(256))
    body = film(b"R\xf6.png") + field("x", value) + END
    stream = ReadableHeads(Trickle(body, step), b"bnd")
    read = b"".join(iter(lambda: stream.read(13), b""))
    assert read == body.replace(b"R\xf6.png", b"R_.png")


def test_a_head_without_an_end_is_passed_on():
    body = b"--bnd\r\n" + b"\xf6" * 50_000
    stream = ReadableHeads(Trickle(body, 1000), b"bnd")
    assert b"".join(iter(lambda: stream.read(999), b"")) == body
