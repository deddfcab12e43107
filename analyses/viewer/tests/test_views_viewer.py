"""The viewer page: films in order of arrival, the patient's other examinations, nothing of the model for the blind."""

import gzip
import json
import re

import numpy as np
import pytest
from django.utils import timezone

from accounts.models import AuditEvent, ReadingMode
from analyses.models import UnaidedReading
from analyses.record import storage
from analyses.tests.factories import REGION, PatientFactory, StudyFactory, deep_values, png_bytes, result
from inference.imaging.display import unpack

pytestmark = pytest.mark.django_db


@pytest.fixture
def patient(department):
    return PatientFactory(department=department)


@pytest.fixture
def study(department, patient):
    return StudyFactory(owner=department, patient=patient)


@pytest.fixture
def web(client, doctor):
    client.force_login(doctor)
    return client


def page(web, study, query="") -> str:
    answer = web.get(f"/cases/{study.pk}/viewer/{query}")
    assert answer.status_code == 200
    return answer.content.decode()


def films(text: str) -> list[dict]:
    found = re.search(r'<script id="films" type="application/json">(.*?)</script>', text)
    return json.loads(found.group(1))


def test_films_come_in_order_of_arrival_whatever_the_model_thinks(web, study):
    calm, suspicious = result("normal", study=study), result("malignant", study=study)
    found = films(page(web, study))
    assert [film["analysis_id"] for film in found] == [str(calm.pk), str(suspicious.pk)]
    assert [film["name"] for film in found] == ["Film 1", "Film 2"]


def test_the_film_asked_for_is_shown_first(web, study):
    result("normal", study=study)
    second = result("malignant", study=study, **deep_values())
    text = page(web, study, f"?film={second.image.pk}")
    assert 'data-wanted="1"' in text
    assert f'<link rel="preload" as="fetch" href="/films/{second.pk}/values.bin" crossorigin>' in text
    assert 'data-wanted="0"' in page(web, study, "?film=nothing")


def test_a_film_with_depth_brings_its_facts_and_an_older_one_says_what_it_lacks(web, study):
    deep = result("normal", study=study, **deep_values(bits=12))
    result("normal", study=study)
    eight = result("normal", study=study, image__display={"source": "canonical"})
    result("normal", study=study, image__display={"source": "left_out"})
    first, old, canonical, large = films(page(web, study))
    assert "too large" in large["note"]
    assert (first["values"], first["facts"]["bits"], first["note"]) == (f"/films/{deep.pk}/values.bin", 12, "")
    assert (old["values"], old["facts"]) == ("", None)
    assert "Only the 8-bit image of this film was kept" in old["note"]
    assert (canonical["analysis_id"], canonical["note"]) == (str(eight.pk), "")


def test_the_unit_of_lengths_is_said_with_its_reason(web, study):
    result("normal", study=study, image__pixel_spacing_mm=[0.1, 0.2], image__spacing_source="calibrated")
    result("normal", study=study, image__pixel_spacing_mm=[1, 1], image__spacing_source="detector plane, uncalibrated")
    first, second = films(page(web, study))
    assert (first["spacing"], first["spacing_words"][:13]) == ([0.1, 0.2], "Lengths in mm")
    assert (second["spacing"], second["spacing_words"]) == (None, "Lengths in px: detector plane, uncalibrated.")


def test_other_examinations_of_the_patient_are_offered_and_no_others(web, study, patient, second_doctor):
    result("normal", study=study)
    earlier = result("benign", study=StudyFactory(owner=study.department, patient=patient, laterality="L"))
    result("benign", study=StudyFactory(owner=study.department))
    namesake = PatientFactory(department=second_doctor.department, patient_id=patient.patient_id)
    result("benign", study=StudyFactory(owner=second_doctor.department, patient=namesake))
    found = films(page(web, study))
    assert [film["group"] for film in found] == ["This case", "2026-03-02, knee, left"]
    assert found[1]["analysis_id"] == str(earlier.pk)


def test_an_unassigned_case_is_compared_with_nothing(web, department):
    cases = [StudyFactory(owner=department, patient=None) for _ in range(2)]
    for case in cases:
        result("normal", study=case)
    assert len(films(page(web, cases[0]))) == 1


def test_overlays_come_with_the_version_that_drew_them(web, study):
    analysis = result("malignant", study=study, regions=[REGION], image__film_bytes=png_bytes(400, 1000))
    film = films(page(web, study))[0]
    assert film["model"] == "bonescan-test 0.0"
    assert film["regions"][0]["points"] == "100.0,250.0 300.0,250.0 300.0,500.0 100.0,500.0"
    assert film["saliency"] == f"/films/{analysis.pk}/saliency.png"


def test_a_film_without_a_map_offers_none(web, study):
    result("malignant", study=study, saliency_file="")
    assert films(page(web, study))[0]["saliency"] == ""


def blind(doctor) -> None:
    doctor.department.reading_mode = ReadingMode.OWN_FIRST
    doctor.department.save()


def without_ids(text: str) -> str:
    """A page without what differs between any two cases and any two visits."""
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "id", text)
    return re.sub(r'data-csrf="\w+"|R\d{6}|ACC\d{6}|b{64}', "", text)


def begin(doctor, study) -> None:
    """The reading is begun, so that the film is open; nothing is locked."""
    UnaidedReading.objects.create(study=study, reader=doctor, mode="own_first", opened_at=timezone.now())


def test_the_viewer_stays_closed_until_the_reading_is_begun(web, doctor, study):
    result("malignant", study=study)
    blind(doctor)
    answer = web.get(f"/cases/{study.pk}/viewer/")
    assert (answer.status_code, answer["Location"]) == (302, f"/cases/{study.pk}/")
    begin(doctor, study)
    assert web.get(f"/cases/{study.pk}/viewer/").status_code == 200


def test_whoever_is_blind_gets_the_same_page_whatever_the_answer(web, doctor, department):
    blind(doctor)
    pages = set()
    for outcome in ("normal", "malignant", "withheld"):
        case = StudyFactory(owner=department)
        regions = [REGION] if outcome == "malignant" else []
        result(outcome, study=case, regions=regions, image__film_bytes=png_bytes(64, 80))
        begin(doctor, case)
        pages.add(without_ids(page(web, case)))
    assert len(pages) == 1
    text = pages.pop()
    for word in ("data-overlays", "bonescan-test", "regions", "saliency.png"):
        assert word not in text


def test_whoever_is_blind_gets_no_overlay_of_the_answer(web, doctor, study):
    analysis = result("malignant", study=study, regions=[REGION])
    blind(doctor)
    begin(doctor, study)
    film = films(page(web, study))[0]
    assert not {"regions", "saliency", "model"} & set(film)
    assert "data-overlays" not in page(web, study)
    assert web.get(f"/films/{analysis.pk}/saliency.png").status_code == 404
    text = web.get(f"/cases/{study.pk}/").content.decode()
    assert "data-outline" not in text
    assert "data-saliency" not in text


def test_an_earlier_case_that_is_hidden_brings_no_overlay_either(web, doctor, study, patient):
    from analyses.models import Study

    signed = StudyFactory(owner=study.department, patient=patient)
    result("malignant", study=study, regions=[REGION])
    result("malignant", study=signed, regions=[REGION])
    Study.objects.filter(pk=signed.pk).update(reading_state="final")
    blind(doctor)
    begin(doctor, study)
    own, earlier = films(page(web, study))
    assert "regions" not in own
    assert earlier["regions"]


def test_a_look_at_the_viewer_is_in_the_trail(web, doctor, study):
    result("normal", study=study)
    page(web, study)
    event = AuditEvent.objects.get(action="view_case")
    assert (event.user, event.detail) == (doctor, {"page": "viewer"})


def test_a_case_without_a_decoded_film_says_what_to_do(web, study):
    assert "No film to show" in page(web, study)


def test_the_policy_of_the_viewer_page_is_as_strict_as_everywhere(web, study):
    policy = web.get(f"/cases/{study.pk}/viewer/")["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "blob:" not in policy


def test_values_are_served_packed_and_asked_for_each_time(web, study):
    analysis = result("normal", study=study, **deep_values())
    url = f"/films/{analysis.pk}/values.bin"
    answer = web.get(url, headers={"Accept-Encoding": "gzip, br"})
    assert (answer["Content-Encoding"], answer["Cache-Control"]) == ("gzip", "private, no-cache")
    assert answer.content == storage.read(analysis.image.display_file)
    assert web.get(url, headers={"If-None-Match": answer["ETag"]}).status_code == 304
    plain = web.get(url)
    assert plain.content == gzip.decompress(answer.content)
    assert not plain.has_header("Content-Encoding")
    assert AuditEvent.objects.filter(action="download_image").count() == 2


def test_a_large_film_is_served_in_two_parts_and_counted_once(web, study):
    large = np.arange(1200 * 1100, dtype=np.uint32).reshape(1200, 1100).astype(np.uint16)
    analysis = result("normal", study=study, **deep_values(large))
    film = films(page(web, study))[0]
    assert film["overview"] == f"/films/{analysis.pk}/values.bin?part=overview"
    assert f'as="fetch" href="{film["overview"]}"' in page(web, study)
    head, whole = (web.get(film[part], headers={"Accept-Encoding": "gzip"}) for part in ("overview", "values"))
    assert (unpack(head.content, 600, 550) == large[::2, ::2]).all()
    assert (unpack(whole.content, 1200, 1100) == large).all()
    assert head["ETag"] != whole["ETag"]
    assert AuditEvent.objects.filter(action="download_image").count() == 1


def test_a_small_film_has_no_overview(web, study):
    analysis = result("normal", study=study, **deep_values())
    assert films(page(web, study))[0]["overview"] == ""
    assert web.get(f"/films/{analysis.pk}/values.bin?part=overview").status_code == 404


def test_a_film_without_values_has_none_to_serve(web, study):
    analysis = result("normal", study=study)
    assert web.get(f"/films/{analysis.pk}/values.bin").status_code == 404


def test_the_case_page_leads_to_the_viewer(web, study):
    analysis = result("normal", study=study)
    link = f'href="/cases/{study.pk}/viewer/?film={analysis.image.pk}" data-open-viewer'
    assert link in web.get(f"/cases/{study.pk}/").content.decode()
