"""Every address of the portal before a doctor who must not see the model's answer yet.

The same case is made five times; only what the model answered differs. Whatever the doctor asks, signed in or by an own
token, for a page, a list, a picture, a report or a file, every word, order, size and status of the answer must be the
same five times. Addresses come from the access table, so that a new one is walked without being named here.
"""

import hashlib
import re
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from accounts.audit import record
from accounts.models import User
from accounts.services import create_token
from accounts.tests.factories import UserFactory
from analyses.blinding.snapshots import snapshot
from analyses.models import (
    Analysis,
    Annotation,
    Image,
    ModelComparison,
    Patient,
    Report,
    Review,
    Study,
    Trial,
    TrialAllocation,
    TrialBlock,
    UnaidedReading,
)
from analyses.pipeline import summary
from analyses.tests.factories import REGION, SUBTYPES, ImageFactory, PatientFactory, StudyFactory, png_bytes, result
from bonescan.tests.access_table import ANSWERED, TABLE, address, keys_of_a_signed_case, referral_of

OUTCOMES = ("normal", "benign", "malignant", "withheld", "not_analysable")
# How far the doctor is: nothing done, reading open, locked but hidden by the allocation of a trial.
STATES = ("unread", "open", "hidden")
# What lists may be asked besides; an address that does not know the word ignores or refuses it, the same five times.
LIST_QUERIES: tuple[dict[str, str], ...] = (
    {},
    {"outcome": "malignant"},
    {"outcome": "withheld"},
    {"order": "-suspicion"},
    {"order": "priority"},
    {"ordering": "-malignant_probability"},
    {"kind": "preliminary"},
)
GROUPS = {"accounts": ("account", "livez", "readyz"), "cases": ("analyses:case", "analyses:film"), "api": ("api:",)}
# Verification code of the colleague's preliminary report.
CODE = "BBBB-BBBB-BBBB-BBBB"
# Sent with every POST: whatever a form or service of the portal asks for.
BODY = {
    "reading": "benign",
    "likelihood": "20",
    "impression": "A lytic lesion.",
    "model_reading": "",
    "action": "sign",
    "text": "More.",
    "reason": "Because.",
    "name": "N",
}
BORN = timezone.now() - timedelta(minutes=5)
# Ids, one-time texts and moments differ from one making to the next and say nothing.
MASKS = (
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "<id>"),
    (
        re.compile(r'(csrfmiddlewaretoken" value="|X-CSRFToken(?:&quot;|"): (?:&quot;|")|data-csrf(?:-token)?=")\w+'),
        r"\1<csrf>",
    ),
    (re.compile(r'(<code title="<id>">)[0-9a-f]{8}[^<]*'), r"\1<id>"),
    (re.compile(r"(csrftoken|sessionid|messages)=[^;]*"), r"\1=<cookie>"),
    (re.compile(r'(data-left-s="|"left_s": )\d+'), r"\1<seconds>"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?([.,]\d+)?(Z|[+-]\d\d:?\d\d)?( UTC)?"), "<time>"),
    (re.compile(r"\d{4}-?\d\d-?\d\d-\d{4}(?=\.)"), "<time>"),  # in names of files
    (re.compile(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT"), "<time>"),
    (re.compile(r"nonce-[\w+/=-]+"), "<nonce>"),
    (re.compile(r"\b(bs_\w+|[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){3})\b"), "<secret>"),
    # Digests of a reading hold its moment; those of films are the same in all worlds and stay.
    (re.compile(r'(sha256 <span title=")[0-9a-f]{64}">[0-9a-f]{12}'), r"\1<digest>"),
    (re.compile(r"(sha256: )[0-9a-f]{64}"), r"\1<digest>"),
    (re.compile(r"[a-z0-9]{6}-[0-9a-f]{32}"), "<reset>"),
)
IGNORED_HEADERS = {"Set-Cookie", "X-Request-ID", "X-Request-Id", "Date"}


@dataclass
class Blind:
    """A doctor who is blind, and one who also wears every other hat: each must see the same five times."""

    doctor: User
    hats: User
    colleague: User
    machine: User
    clients: dict[str, Client]


@pytest.fixture
def blind(doctor, api_client, token, settings, monkeypatch) -> Blind:
    settings.ACCOUNT_RATE_LIMITS = False
    monkeypatch.setattr("analyses.pipeline.views.storage_room", lambda: {"local": False})
    doctor.department.reading_mode = "own_first"
    doctor.department.save()
    colleague = UserFactory(department=doctor.department, roles=["doctor"], email="colleague@example.org")
    roles = ["doctor", "clerk", "api_client", "administrator", "auditor"]
    hats = UserFactory(department=doctor.department, roles=roles, email="hats@example.org")
    clients = {}
    for name, user in (("session", doctor), ("hats", hats)):
        clients[name] = Client(raise_request_exception=False)
        clients[name].force_login(user)
    plain = create_token(doctor, "test", None)[1]
    clients["own token"] = Client(raise_request_exception=False, headers={"Authorization": f"Token {plain}"})
    return Blind(doctor, hats, colleague, api_client, clients)


def make_world(blind: Blind, outcome: str, state: str) -> dict[str, Any]:
    """Two cases of the department; the model answered the first film of the first with ``outcome``.

    The second film and the second case have fixed answers in between, so that an order by suspicion would differ. A
    colleague has seen the answer, drafted a reading after it, and had a preliminary report made.
    """
    for factory in (PatientFactory, StudyFactory, ImageFactory, UserFactory):
        factory.reset_sequence(1000, force=True)  # the same numbers and names in every world
    department = blind.doctor.department
    first = _case(blind, 1)
    tumour = {"regions": [REGION], "subtypes": SUBTYPES, "distance": 3.25} if outcome in ("benign", "malignant") else {}
    film = _film(first, outcome, 1, **tumour)
    _film(first, "benign", 2, malignant_probability=0.5)
    second = _case(blind, 2)
    _film(second, "benign", 3, malignant_probability=0.45)
    for study in (first, second):
        summary.summarise(study)
    first.refresh_from_db()
    record("result", department=department, obj=film, case_id=first.pk, detail={"status": "x", "outcome": outcome})
    agrees = {"agrees_with_model": outcome == "malignant", "model_outcome": outcome}
    Review.objects.create(
        study=first, reader=blind.colleague, reading="malignant", impression=f"As {outcome}", **agrees
    )
    record("save_reading", user=blind.colleague, case_id=first.pk, detail=agrees)
    pdf = f"%PDF-1.7 {outcome}".encode()
    report = Report.objects.create(
        study=first,
        revision=first.revision,
        kind="preliminary",
        pdf_file=default_storage.save("reports/issued.pdf", ContentFile(pdf)),
        pdf_sha256=hashlib.sha256(pdf).hexdigest(),
        pdf_size_bytes=len(pdf),
        verification_code=CODE,
        issued_by=blind.colleague,
    )
    for user in (blind.doctor, blind.hats) if state != "unread" else ():
        _own(first, user, state)
    # Whatever else an address names stands beside a signed case, which hides nothing: the same in every world.
    others = keys_of_a_signed_case(blind.doctor, blind.machine, blind.doctor.api_tokens.get())
    flip = {"analysis": str(film.pk), "a": "benign", "b": outcome, "a_malignant": 0.2, "b_malignant": 0.7}
    return others | {
        "study_id": first.pk,
        "analysis_id": film.pk,
        "pk": film.pk,
        "report_id": report.pk,
        "sha256": CODE,
        "user_id": blind.colleague.pk,
        "department_id": department.pk,
        "case": first.pk,
        "comparison_id": _comparison(flip).pk,
        "trial_id": _trial(first, blind).pk,
        "image_id": film.image_id,
        "referral_id": referral_of(
            first, blind.colleague, f"PK {outcome}".encode(), reading_state="preliminary", made_at=BORN
        ).pk,
        "annotation_id": _annotation(film, outcome, blind).pk,
    }


def _annotation(film: Analysis, outcome: str, blind: Blind) -> Annotation:
    """What a colleague who has seen the answer measured; where, and how much, follows it."""
    angle = 10 + 10 * OUTCOMES.index(outcome)
    return Annotation.objects.create(
        image=film.image,
        author=blind.colleague,
        kind="angle",
        points=[[0, 0], [0, 1], [1, angle / 100]],
        values={"angle_deg": angle},
    )


def _case(blind: Blind, number: int) -> Study:
    department = blind.doctor.department
    patient = Patient.objects.filter(department=department, patient_id=f"R{number}").first() or PatientFactory(
        department=department, patient_id=f"R{number}", patient_name=f"PATIENT {number}"
    )
    key = uuid5(NAMESPACE_URL, f"case {number}")
    study = StudyFactory(
        id=key, owner=department, patient=patient, created_by=blind.colleague, accession_number=f"A{number}"
    )
    Study.objects.filter(pk=study.pk).update(created_at=BORN + timedelta(seconds=number))
    study.refresh_from_db()
    return study


def _film(study: Study, outcome: str, seed: int, **fields: Any) -> Analysis:
    # The same ids in every world, because lists break ties by them.
    fields |= {"id": uuid5(NAMESPACE_URL, f"analysis {seed}"), "image__id": uuid5(NAMESPACE_URL, f"image {seed}")}
    analysis = result(outcome, study=study, image__film_bytes=png_bytes(seed=seed), **fields)
    at = BORN + timedelta(seconds=seed)
    moments = {"created_at": at, "queued_at": at, "started_at": at, "finished_at": at}
    Analysis.objects.filter(pk=analysis.pk).update(**moments)
    digest = hashlib.sha256(png_bytes(seed=seed)).hexdigest()
    Image.objects.filter(pk=analysis.image_id).update(
        created_at=at, original_sha256=digest, canonical_sha256=digest, original_size_bytes=1000 + seed
    )
    analysis.refresh_from_db()
    return analysis


def _own(study: Study, user: User, state: str) -> UnaidedReading:
    values: dict[str, Any] = {"mode": "trial", "arm": "hidden" if state == "hidden" else "shown", "opened_at": BORN}
    if state == "hidden":
        values |= {"reading": "benign", "likelihood": 20, "locked_at": BORN, "answer": snapshot(study, BORN)}
    return UnaidedReading.objects.create(study=study, reader=user, **values)


def _trial(study: Study, blind: Blind) -> Trial:
    """A trial that runs, in which the case is allocated."""
    trial = Trial.objects.create(name="Trial", planned_cases=10, started_at=BORN, started_by=blind.hats)
    block = TrialBlock.objects.create(trial=trial, department=study.department, number=1, size=2)
    TrialAllocation.objects.create(
        block=block, study=study, reader=blind.doctor, arm="hidden", position=1, drawn_at=BORN
    )
    return trial


def _comparison(flip: dict[str, Any]) -> ModelComparison:
    """A comparison of two models in which the film was called differently."""
    found = {"films": 1, "same": 0, "matrix": [[flip["b_malignant"]]], "flips": [flip], "differences": None}
    moments = {"created_at": BORN, "finished_at": BORN}
    made = ModelComparison.objects.create(
        modality="DX", model_a="a-1", model_b="b-1", films=1, status="succeeded", result=found
    )
    ModelComparison.objects.filter(pk=made.pk).update(**moments)
    return made


def masked(text: str) -> str:
    for pattern, word in MASKS:
        text = pattern.sub(word, text)
    return text


def told(answer: HttpResponse) -> tuple[int, dict[str, str], str]:
    """Everything that an answer says: status, headers and body, without ids and moments."""
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content
    headers = {name: masked(str(value)) for name, value in answer.headers.items() if name not in IGNORED_HEADERS}
    text = masked(body.decode("latin-1"))
    if "Content-Length" in headers:
        headers["Content-Length"] = str(len(text))
    return answer.status_code, headers, text


def routes_of(group: str) -> list[str]:
    """The addresses of one group of the table; ``rest`` are those of no other group, also the ones still to come."""
    starts = GROUPS.get(group) or tuple(start for known in GROUPS.values() for start in known)
    return [name for name in TABLE if name.startswith(starts) != (group == "rest")]


def questions(name: str, keys: dict[str, Any]) -> Iterator[tuple[str, str, str, dict[str, str]]]:
    """Every way in which one address is asked: who, how, where, with what."""
    route = TABLE[name]
    url = address(name, route, keys)
    body = BODY | {key: str(keys[key]) for key in ("case", "study_id", "analysis_id")} | {"id": str(keys["study_id"])}
    film = {"film": str(keys["analysis_id"]), "id": str(keys["study_id"])}
    # Whoever is no administrator or auditor besides is refused there: the doctor of every hat asks instead.
    allowed = {(expected or {}).get("doctor") for expected in (route.get, route.post)}
    people = ["session" if ANSWERED in allowed else "hats"]
    if name.startswith("api:"):
        people.append("own token")
    for who in people:
        if route.get is not None:
            lists = (*LIST_QUERIES, film) if name.startswith(("analyses:", "api:analysis")) else ({},)
            for query in ({}, film) if route.keys else lists:
                yield who, "get", url, query
        if route.post is not None:
            yield who, "post", url, body


def answers(blind: Blind, names: list[str], outcome: str, state: str) -> dict[str, Any]:
    """What each question meets in the world of this outcome; nothing of that world is left behind."""
    met = {}
    with transaction.atomic():
        keys = make_world(blind, outcome, state)
        for name in names:
            for who, method, url, sent in questions(name, keys):
                client = blind.clients[who]
                cookies = deepcopy(client.cookies)
                with transaction.atomic():
                    met[masked(f"{who}: {method} {url} {sent}")] = told(getattr(client, method)(url, sent))
                    transaction.set_rollback(True)
                client.cookies = cookies  # one question may sign out
        transaction.set_rollback(True)
    return met


def leaks(blind: Blind, names: list[str], state: str) -> list[str]:
    """The questions whose answers tell one outcome from another, with the first word that does."""
    found = []
    expected = answers(blind, names, OUTCOMES[0], state)
    assert expected
    for outcome in OUTCOMES[1:]:
        met = answers(blind, names, outcome, state)
        assert set(met) == set(expected)
        found += [
            f"{question}: {OUTCOMES[0]} from {outcome} by {difference(expected[question], answer)}"
            for question, answer in met.items()
            if answer != expected[question]
        ]
    return found


def difference(one: tuple[int, dict[str, str], str], other: tuple[int, dict[str, str], str]) -> str:
    """Where two answers part, for the reader of a failure."""
    if one[0] != other[0]:
        return f"status {one[0]} and {other[0]}"
    lines = zip(one[2].splitlines(), other[2].splitlines(), strict=False)
    return next((f"{a[:160]!r} and {b[:160]!r}" for a, b in lines if a != b), "headers or length")


@pytest.mark.django_db
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("group", [*GROUPS, "rest"])
def test_nothing_that_a_blind_doctor_can_reach_depends_on_the_answer(blind, group, state):
    assert not "\n".join(leaks(blind, routes_of(group), state))


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["analyses:case", "analyses:film_saliency", "api:analysis-list", "accounts:audit_log"])
def test_the_walk_notices_an_answer_that_is_shown(blind, name):
    """The same walk for a department that sees the answer at once must tell the outcomes apart."""
    blind.doctor.department.reading_mode = "at_once"
    blind.doctor.department.save()
    assert leaks(blind, [name], "unread")


def test_every_address_is_walked():
    assert sorted(name for group in [*GROUPS, "rest"] for name in routes_of(group)) == sorted(TABLE)
