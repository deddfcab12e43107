"""A small client of the portal's API: posts films, waits for their end states, survives outages by repeating."""

import time
import uuid
from dataclasses import dataclass, field
from typing import Any

import requests

END_STATES = frozenset({"succeeded", "failed", "cancelled"})


@dataclass
class Answer:
    """What one upload was answered.

    Attributes:
        http_status: of the POST; 0 when no answer came at all.
        code: the error code of a refusal, else empty.
        analysis_id: of an accepted film, else empty.
        posted_s: duration of the POST in seconds.
    """

    http_status: int
    code: str = ""
    analysis_id: str = ""
    posted_s: float = 0.0
    body: dict[str, Any] = field(default_factory=dict)


class Client:
    """One session with one token."""

    def __init__(self, url: str, token: str) -> None:
        self.url = f"{url}/api/v1"
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Token {token}"

    def post(self, data: bytes, *, patient_id: str, name: str = "film", key: str = "", seconds: float = 90) -> Answer:
        """Post one film once."""
        headers = {"Idempotency-Key": key} if key else {}
        begin = time.monotonic()
        try:
            answer = self.session.post(
                f"{self.url}/analyses/",
                files={"image": (name, data)},
                data={"patient_id": patient_id},
                headers=headers,
                timeout=seconds,
            )
        except requests.RequestException as error:
            return Answer(0, code=type(error).__name__, posted_s=time.monotonic() - begin)
        body = _json(answer)
        return Answer(
            answer.status_code, str(body.get("code", "")), str(body.get("id", "")), time.monotonic() - begin, body
        )

    def post_until_accepted(self, data: bytes, *, patient_id: str, seconds: float = 120) -> Answer:
        """Post one film as a careful client does: the same idempotency key until an answer below 500 comes."""
        key, deadline = str(uuid.uuid4()), time.monotonic() + seconds
        while True:
            answer = self.post(data, patient_id=patient_id, key=key, seconds=20)
            if 0 < answer.http_status < 500 or time.monotonic() > deadline:
                return answer
            time.sleep(0.5)

    def get(self, analysis_id: str) -> dict[str, Any]:
        """One analysis; an empty dictionary when no answer came."""
        try:
            answer = self.session.get(f"{self.url}/analyses/{analysis_id}/", timeout=20)
        except requests.RequestException:
            return {}
        return _json(answer) if answer.status_code == 200 else {}

    def count(self, status: str) -> int:
        """How many analyses are in this state; -1 when no answer came."""
        try:
            answer = self.session.get(f"{self.url}/analyses/", params={"status": status, "page_size": "1"}, timeout=20)
        except requests.RequestException:
            return -1
        return int(_json(answer).get("count", -1))

    def wait(self, analysis_id: str, seconds: float = 60, pause: float = 0.1) -> dict[str, Any]:
        """Wait for the end state of one analysis; the last known state when the time runs out."""
        state: dict[str, Any] = {}
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            state = self.get(analysis_id) or state
            if state.get("status", "") in END_STATES:
                break
            time.sleep(pause)
        return state


def _json(answer: requests.Response) -> dict[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        return {"code": "no_json"}
    return body if isinstance(body, dict) else {"code": "no_object"}
