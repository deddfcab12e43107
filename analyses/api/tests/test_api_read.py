"""What the API shows of analyses: the answer, lists of them, their files."""

import hashlib
from datetime import timedelta
from io import BytesIO

import pytest
from django.core.files.storage import default_storage
from django.test import Client
from django.utils import timezone
from PIL import Image as Picture
from pypdf import PdfReader

from accounts.models import ApiToken, AuditEvent
from accounts.services import create_token
from analyses.models import Analysis, Report
from analyses.pipeline import queue
from analyses.reading import services as reading
from analyses.structured_reading.content import Structured
from analyses.structured_reading.findings import Findings
from analyses.tests.api_calls import ANALYSES, assert_refused, caller, film, post_film
from analyses.tests.factories import REGION, SUBTYPES, AnalysisFactory, png_bytes, result

pytestmark = pytest.mark.django_db
KEYS = {
    "id",
    "blinded",
    "url",
    "created_at",
    "status",
    "stage",
    "place_in_queue",
    "patient_id",
    "accession_number",
    "reading",
    "case",
    "result",
    "results",
    "model",
    "site_acceptance",
    "timings_ms",
    "warnings",
    "error",
    "input_sha256",
    "canonical_sha256",
}


@pytest.fixture
def client(token) -> Client:
    return caller(token)


@pytest.fixture
def posted(api_client, token):
    """Makes finished analyses as if the API client's token had posted them."""
    by = ApiToken.objects.get(user=api_client)

    def make(outcome: str = "malignant", **fields) -> Analysis:
        values = {"api_token": by, "requested_by": api_client, "image__study__owner": api_client.department}
        return result(outcome, **values | {"image__study__api_token": by} | fields)

    return make


def address(analysis: Analysis, path: str = "") -> str:
    return f"{ANALYSES}{analysis.pk}/{path}"


# --- one analysis -------------------------------------------------------------------------------------------------
def test_a_waiting_film_shows_its_place_and_no_answer(client):
    urls = [post_film(client, seed=n, patient_id=str(n)).json()["url"] for n in range(3)]
    body = client.get(urls[2]).json()
    assert set(body) == KEYS
    assert (body["status"], body["stage"], body["place_in_queue"]) == ("queued", "waiting", 3)
    assert body["result"] is body["model"] is body["error"] is body["canonical_sha256"] is None
    assert body["warnings"] == []
    assert body["timings_ms"] == {}
    assert body["input_sha256"] == hashlib.sha256(film(2).read()).hexdigest()


def test_an_answer_holds_everything_that_a_decision_needs(client, posted):
    analysis = posted("malignant")
    study = analysis.image.study
    body = client.get(address(analysis)).json()
    assert set(body) == KEYS
    assert (body["status"], body["stage"], body["place_in_queue"]) == ("succeeded", "done", None)
    assert body["result"] == {
        "outcome": "malignant",
        "reason_code": None,
        "probabilities": {"normal": 0.05, "benign": 0.15, "malignant": 0.8},
        "operating_point": analysis.operating_point,
        "leaning": "malignant",
        "withheld_reasons": [],
        "prediction_set": ["malignant"],
        "subtypes": [],
        "regions": [],
        "outside_use": [],
        "distance": None,
    }
    assert body["model"] == {"name": "bonescan-test", "version": "0.0", "sha256": "c" * 64}
    assert list(body["result"]["probabilities"]) == ["normal", "benign", "malignant"]
    assert list(body["timings_ms"].items()) == [
        ("decoding", 11.0),
        ("checking", 6.0),
        ("classifying", 14.0),
        ("explaining", 9.0),
    ]
    assert body["patient_id"] == study.patient.patient_id
    assert body["case"] == {"id": str(study.pk), "url": f"http://testserver/cases/{study.pk}/"}
    assert body["canonical_sha256"] == "b" * 64


def test_a_refused_film_says_why_and_has_no_probability(client, posted):
    body = client.get(address(posted("not_analysable"))).json()
    assert body["status"] == "succeeded"
    assert body["result"]["outcome"] == "not_analysable"
    assert body["result"]["reason_code"] == "not_a_bone_radiograph"
    assert body["result"]["probabilities"] is None


def test_a_withheld_answer_gives_its_reasons_and_nothing_that_could_be_taken_for_an_answer(client, posted):
    row = posted("withheld", subtypes=SUBTYPES, withheld_reasons=["set_undecided", "unstable"], distance=7.5)
    found = client.get(address(row)).json()["result"]
    assert (found["outcome"], found["reason_code"]) == ("withheld", "set_undecided")
    assert found["withheld_reasons"] == ["set_undecided", "unstable"]
    assert found["prediction_set"] == ["benign", "malignant"]
    assert found["probabilities"] is found["leaning"] is None
    assert found["subtypes"] == []
    assert found["distance"] == 7.5


def test_regions_come_in_fractions_and_in_pixels_of_the_canonical_image(client, posted):
    row = posted(regions=[REGION], subtypes=SUBTYPES, image__film_bytes=png_bytes(400, 1000))
    found = client.get(address(row)).json()["result"]
    assert found["regions"] == [
        REGION
        | {
            "polygon_px": [[100.0, 250.0], [300.0, 250.0], [300.0, 500.0], [100.0, 500.0]],
            "box_px": [100.0, 250.0, 300.0, 500.0],
            "size": {
                "longest_diameter_px": 320.16,
                "area_px": 50000.0,
                "longest_diameter_mm": None,
                "area_mm2": None,
            },
        }
    ]
    assert found["subtypes"][0] == {"name": "osteosarcoma", "probability": 0.7}


def test_sizes_are_in_mm_where_the_film_is_calibrated(client, posted):
    spaced = {"image__pixel_spacing_mm": [0.2, 0.1], "image__spacing_source": "calibrated"}
    row = posted(regions=[REGION], image__film_bytes=png_bytes(400, 1000), **spaced)
    size = client.get(address(row)).json()["result"]["regions"][0]["size"]
    assert (size["longest_diameter_mm"], size["area_mm2"]) == (53.85, 1000.0)


def test_a_failed_film_has_a_code_and_a_sentence_and_no_result(client, posted):
    body = client.get(address(posted("failed"))).json()
    assert body["result"] is None
    assert body["error"] == {"code": "unreadable", "message": "Export it again."}


def test_contradictions_are_shown_without_their_values(client, posted):
    warning = {"code": "patient_name_mismatch", "field": "patient_name", "against": "file", "confirmed": None}
    body = client.get(address(posted(warnings=[warning, {"code": "burned_in_annotation"}]))).json()
    assert body["warnings"] == [
        warning,
        {"code": "burned_in_annotation", "field": None, "against": None, "confirmed": None},
    ]


def test_an_unassigned_case_has_no_record_number(client):
    assert client.get(post_film(client).json()["url"]).json()["patient_id"] is None


def test_reading_an_answer_is_recorded_and_asking_whether_it_is_done_is_not(client, posted):
    client.get(post_film(client).json()["url"])
    assert not AuditEvent.objects.filter(action="view_case").exists()
    analysis = posted()
    client.get(address(analysis))
    event = AuditEvent.objects.get(action="view_case")
    assert (event.object_id, event.case_id) == (str(analysis.pk), analysis.image.study_id)
    assert event.subject == analysis.image.study.patient.patient_id
    assert event.detail == {"via": "api"}


# --- lists --------------------------------------------------------------------------------------------------------
def test_nobody_on_the_way_keeps_an_answer(client, posted):
    for path in (ANALYSES, address(posted()), f"{ANALYSES}?patient=4"):
        assert client.get(path)["Cache-Control"] == "private, no-store"


def test_a_list_shows_the_newest_first_in_the_shape_of_the_single_answer(client, posted):
    analyses = [posted(), posted("benign")]
    body = client.get(ANALYSES).json()
    assert set(body) == {"count", "next", "previous", "results", "next_cursor"}
    assert [row["id"] for row in body["results"]] == [str(row.pk) for row in reversed(analyses)]
    assert body["results"][0] == client.get(address(analyses[1])).json()


def test_the_answer_to_another_task_is_not_given_out_as_one_about_a_tumour(client, posted):
    mine, other = posted(), posted(task="fracture")
    assert [row["id"] for row in client.get(ANALYSES).json()["results"]] == [str(mine.pk)]
    assert client.get(address(other)).status_code == 404
    assert client.get(address(other, "saliency/")).status_code == 404


def test_pages_neither_repeat_nor_skip_a_row(client, posted):
    now = timezone.now()
    made = {str(posted("normal").pk) for _ in range(5)}
    Analysis.objects.update(created_at=now)
    seen, url = [], f"{ANALYSES}?page_size=2"
    while url:
        body = client.get(url).json()
        assert body["count"] == 5
        seen += [row["id"] for row in body["results"]]
        url = body["next"]
    assert len(seen) == 5
    assert set(seen) == made


@pytest.mark.parametrize("order", ["-created_at", "created_at"])
def test_a_cursor_neither_repeats_nor_skips_a_row_while_films_arrive(client, posted, order):
    made = [str(posted("normal").pk) for _ in range(5)]
    Analysis.objects.filter(pk__in=made[1:3]).update(created_at=timezone.now())  # two at one moment
    expected = [row["id"] for row in client.get(f"{ANALYSES}?ordering={order}").json()["results"]]
    body = client.get(f"{ANALYSES}?ordering={order}&page_size=2").json()
    seen = [row["id"] for row in body["results"]]
    posted("benign")
    url = f"{ANALYSES}?ordering={order}&page_size=2&cursor={body['next_cursor']}"
    while url:
        body = client.get(url).json()
        seen += [row["id"] for row in body["results"]]
        url = body["next"]
    assert seen[:5] == expected
    assert len(seen) == (5 if order == "-created_at" else 6)
    assert body["next_cursor"] is None


def test_a_cursor_is_taken_only_as_it_was_given(client, posted):
    for _ in range(2):
        posted("normal")
    given = client.get(f"{ANALYSES}?page_size=1").json()["next_cursor"]
    assert client.get(f"{ANALYSES}?cursor={given}").status_code == 200
    by_probability = "ordering=malignant_probability"
    assert client.get(f"{ANALYSES}?page_size=1&{by_probability}").json()["next_cursor"] is None
    for query in (
        "cursor=x", "cursor=", "cursor=%00", f"cursor={given}&page=1", f"cursor={given}&{by_probability}",
        f"cursor={given}&ordering=created_at", f"cursor={given}&cursor={given}",
    ):  # fmt: skip
        assert_refused(client.get(f"{ANALYSES}?{query}"), 400, "bad_field")


@pytest.mark.parametrize("query", ["page=2", "page=0", "page=-1", "page=x", "page=last", "page=" + "9" * 30])
def test_a_page_that_is_not_there_is_not_found(client, query):
    assert_refused(client.get(f"{ANALYSES}?{query}"), 404, "no_such_page")


@pytest.mark.parametrize(
    "query",
    [
        "page_size=0",
        "page_size=201",
        "page_size=x",
        "page_size=",
        "page_size=%C2%B2",
        "status=done",
        "outcome=healthy",
        "ordering=patient_name",
        "created_after=yesterday",
        "created_after=0001-01-01T00:00:00%2B14:00",
        "created_before=9999-12-31T23:59:59-14:00",
        "patient_id=%00",
        "patient_id=" + "4" * 65,
        "patient_id=",
        "patient_id=+",
        "patient_id=4&patient_id=5",
        "patient=4",
    ],
)
def test_a_filter_that_cannot_be_obeyed_is_refused(client, query):
    body = assert_refused(client.get(f"{ANALYSES}?{query}"), 400, "bad_field")
    assert list(body["fields"]) == [query.split("=")[0]]


def test_filters_find_exactly_what_they_name(client, posted):
    malignant, benign = posted("malignant"), posted("benign")
    post_film(client, patient_id="400122", accession_number="A-1")
    waiting = Analysis.objects.get(status="queued")
    Analysis.objects.filter(pk=benign.pk).update(created_at=timezone.now() - timedelta(days=2))
    yesterday = (timezone.now() - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")

    def found(**query) -> set[str]:
        return {row["id"] for row in client.get(ANALYSES, query).json()["results"]}

    everything = {str(row.pk) for row in (malignant, benign, waiting)}
    assert found() == everything
    assert found(status="queued") == {str(waiting.pk)}
    assert found(outcome="benign") == {str(benign.pk)}
    assert found(patient_id="400122") == {str(waiting.pk)}
    assert found(patient_id="40012") == set()
    assert found(accession_number="A-1") == {str(waiting.pk)}
    assert found(created_before=yesterday) == {str(benign.pk)}
    assert found(created_after=yesterday) == everything - {str(benign.pk)}


def test_an_order_puts_what_has_no_probability_last(client, posted):
    benign, malignant, refused = posted("benign"), posted("malignant"), posted("not_analysable")

    def ids(ordering: str) -> list[str]:
        return [row["id"] for row in client.get(ANALYSES, {"ordering": ordering}).json()["results"]]

    by_id = [str(row.pk) for row in (benign, malignant, refused)]
    assert ids("created_at") == by_id
    assert ids("-created_at") == by_id[::-1]
    assert ids("malignant_probability") == [by_id[0], by_id[1], by_id[2]]
    assert ids("-malignant_probability") == [by_id[1], by_id[0], by_id[2]]


def test_a_long_list_costs_as_many_queries_as_a_short_one(client, posted, django_assert_num_queries):
    def fill(count: int, start: int) -> None:
        for n in range(start, start + count):
            posted("benign")
            post_film(client, seed=n, patient_id=str(n))

    fill(1, 0)
    client.get(ANALYSES)  # writes the token's last use, once a minute
    # token with its user and department, roles, count, page, places in the queue, further tasks, line in the log
    with django_assert_num_queries(7):
        assert client.get(ANALYSES).json()["count"] == 2
    fill(8, 1)
    with django_assert_num_queries(7):
        assert client.get(ANALYSES).json()["count"] == 18


def test_listing_and_searching_are_recorded(client, posted):
    posted()
    client.get(ANALYSES)
    client.get(ANALYSES, {"patient_id": "400122"})
    listed, searched = AuditEvent.objects.filter(action__in=["list_cases", "search_cases"]).order_by("id")
    assert (listed.action, listed.detail) == ("list_cases", {"via": "api", "shown": 1})
    assert (searched.action, searched.subject) == ("search_cases", "400122")


# --- files --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("path", ["image.png", "saliency.png"])
def test_pictures_are_private_pngs_whose_download_is_recorded(client, posted, path):
    analysis = posted()
    answer = client.get(address(analysis, path), headers={"Accept": "image/png"})
    assert answer.status_code == 200
    assert answer["Content-Type"] == "image/png"
    assert answer["Cache-Control"] == "private, no-store"
    assert answer["X-Content-Type-Options"] == "nosniff"
    with Picture.open(BytesIO(answer.content)) as picture:
        assert picture.format == "PNG"
    event = AuditEvent.objects.get(action="download_image")
    assert event.detail == {"via": "api", "picture": path.removesuffix(".png")}
    assert event.case_id == analysis.image.study_id


def test_pictures_that_do_not_exist_have_codes_of_their_own(client, posted):
    waiting = Analysis.objects.get(pk=post_film(client).json()["id"])
    assert_refused(client.get(address(waiting, "image.png")), 404, "no_image")
    assert_refused(client.get(address(posted("not_analysable"), "saliency.png")), 404, "no_saliency")


def test_a_picture_that_the_store_has_lost_is_the_portals_fault(client, posted):
    analysis = posted()
    default_storage.delete(analysis.image.canonical_file)
    assert_refused(client.get(address(analysis, "image.png")), 503, "file_unavailable")


@pytest.mark.parametrize("outcome", ["malignant", "not_analysable"])
def test_every_succeeded_analysis_has_a_report_that_is_issued_once(client, posted, outcome):
    analysis = posted(outcome)
    first = client.get(address(analysis, "report.pdf"), headers={"Accept": "application/pdf"})
    assert first.status_code == 200
    assert first["Content-Type"] == "application/pdf"
    assert first["Cache-Control"] == "private, no-store"
    assert "PRELIMINARY" in PdfReader(BytesIO(first.content)).pages[0].extract_text().upper()
    assert client.get(address(analysis, "report.pdf")).content == first.content
    report = Report.objects.get()
    assert report.pdf_sha256 == hashlib.sha256(first.content).hexdigest()
    assert first["Content-Disposition"] == f'attachment; filename="report-{report.pk}.pdf"'
    event = AuditEvent.objects.filter(action="download_report").first()
    assert event.detail == {"via": "api", "kind": "preliminary"}


def test_there_is_no_report_before_a_result(client, posted):
    waiting = Analysis.objects.get(pk=post_film(client).json()["id"])
    for analysis in (waiting, posted("failed")):
        assert_refused(client.get(address(analysis, "report.pdf")), 409, "no_result")


def test_a_report_waits_until_a_contradiction_is_decided(client, posted):
    warning = {"code": "patient_id_mismatch", "field": "patient_id", "against": "file", "confirmed": None}
    analysis = posted(warnings=[warning])
    assert_refused(client.get(address(analysis, "report.pdf")), 409, "identity_unconfirmed")
    Analysis.objects.update(warnings=[warning | {"confirmed": "typed"}])
    assert client.get(address(analysis, "report.pdf")).status_code == 200


# --- cancel and retry ---------------------------------------------------------------------------------------------
def test_a_waiting_film_can_be_cancelled_and_tried_again(client):
    url = post_film(client).json()["url"]
    cancelled = client.post(url + "cancel/")
    assert cancelled.status_code == 200
    assert cancelled.json() == client.get(url).json()
    assert cancelled.json()["status"] == "cancelled"
    again = client.post(url + "retry/")
    assert again.status_code == 202
    assert again.json()["status"] == "queued"
    assert again["Location"] == again.json()["url"] == url


def test_a_running_film_can_be_cancelled(client):
    posted = post_film(client).json()
    assert queue.claim(posted["id"], "worker") is not None
    assert client.get(posted["url"]).json()["status"] == "running"
    assert client.post(posted["url"] + "cancel/").json()["status"] == "cancelled"


def test_what_has_ended_cannot_be_cancelled_and_what_succeeded_cannot_be_tried_again(client, posted):
    analysis = posted()
    assert_refused(client.post(address(analysis, "cancel/")), 409, "not_cancelable")
    assert_refused(client.post(address(analysis, "retry/")), 409, "not_retriable")
    waiting = post_film(client).json()["url"]
    assert_refused(client.post(waiting + "retry/"), 409, "not_retriable")


@pytest.mark.parametrize("content_type", ["application/json", "application/x-www-form-urlencoded", ""])
def test_cancelling_needs_no_body_of_any_kind(client, content_type):
    url = post_film(client).json()["url"]
    assert client.generic("POST", url + "cancel/", b"", content_type=content_type).status_code == 200


def test_a_doctor_cancels_what_a_machine_posted(client, doctor):
    url = post_film(client).json()["url"]
    assert caller(create_token(doctor, "own", None)[1]).post(url + "cancel/").status_code == 200


def test_a_film_that_was_not_posted_by_a_token_is_hidden_from_machines(client, doctor):
    by_page = AnalysisFactory(image__study__owner=doctor.department)
    assert_refused(client.get(address(by_page)), 404, "not_found")


def test_a_signed_reading_is_given_with_its_findings_and_a_draft_is_not(client, posted, doctor):
    analysis = posted("malignant")
    study = analysis.image.study
    structure = Structured(findings=Findings(number="one", bone="tibia", size_mm=(40,)), recommendation="refer")
    reading.save_reading(study, user=doctor, reading="malignant", likelihood=90, structure=structure)
    assert client.get(address(analysis)).json()["reading"] is None
    review = reading.sign(study, doctor)
    given = client.get(address(analysis)).json()["reading"]
    assert given["findings"] == {"number": "one", "bone": "tibia", "size_mm": [40]}
    assert (given["reading"], given["likelihood"], given["recommendation"]) == ("malignant", 90, "refer")
    assert given["sha256"] == review.signed_sha256
