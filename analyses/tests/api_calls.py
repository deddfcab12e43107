"""How the API's tests call it: with a token, and with a film that is an image."""

from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import Client

from analyses.tests.factories import png_bytes

ANALYSES = "/api/v1/analyses/"


def caller(token: str, **options: Any) -> Client:
    """A client that sends this token."""
    return Client(headers={"Authorization": f"Token {token}"}, **options)


def film(seed: int = 0, content: bytes | None = None) -> SimpleUploadedFile:
    """A small picture as a form sends it; another seed gives other bytes."""
    return SimpleUploadedFile("film.png", png_bytes(seed=seed) if content is None else content, "image/png")


def post_film(client: Client, *, seed: int = 0, address: str = ANALYSES, key: str = "", **fields: Any) -> HttpResponse:
    """Post one film with these fields."""
    headers = {"Idempotency-Key": key} if key else {}
    return client.post(address, {"image": film(seed), **fields}, headers=headers)


def assert_refused(answer: HttpResponse, status: int, code: str) -> dict[str, Any]:
    """The answer has the one error shape with this code; returns its body."""
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/json"
    body = answer.json()
    assert set(body) == {"code", "detail", "fields"}
    assert body["code"] == code
    assert body["detail"].endswith(".")
    assert all(isinstance(sentence, str) for sentences in body["fields"].values() for sentence in sentences)
    return body
