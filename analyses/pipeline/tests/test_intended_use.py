"""A film whose tags say that it is not what the model is meant for: no network looks, and everything says which tag."""

import pytest

from accounts.models import AuditEvent
from analyses.answers.wording import meaning
from analyses.intake.services import CaseFields
from analyses.models import Analysis, Image
from analyses.pipeline import comparison, reanalysis
from analyses.registry.uses import TUMOUR_ON_RADIOGRAPHS
from analyses.tests.factories import AnalysisFactory
from inference.errors import DecodeError

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("use", "words"),
    [
        ({"modality": "MG"}, "Modality (0008,0060) is MG (mammography)."),
        ({"modality": "DX", "body_part_examined": "THORAX"}, "Body part (0018,0015) is THORAX."),
        (
            {"modality": "DX", "anatomic_region": {"value": "76752008", "scheme": "SCT", "meaning": "Breast"}},
            "Anatomic region (0008,2218) is Breast (SCT 76752008).",
        ),
        ({"sop_class": "1.2.840.10008.5.1.4.1.1.1.2"}, "Kind of object (SOP class) (0008,0016) is MG (mammography)."),
    ],
)
def test_a_tag_keeps_the_film_from_gate_and_networks(analyse, decoder, predictor, use, words):
    decoder.use = use
    done = analyse()
    assert (done.status, done.outcome, done.reason_code) == ("succeeded", "not_analysable", "outside_intended_use")
    assert (predictor.calls, done.gate, done.probabilities, done.model_name) == (0, None, None, "")
    assert meaning(done).startswith(f"{words} The model is meant for plain radiographs of bone")
    assert done.image.canonical_file


def test_what_was_typed_keeps_a_picture_without_tags_from_the_model(analyse, predictor):
    done = analyse(CaseFields(body_part_examined="Schädel"))
    assert (done.reason_code, predictor.calls) == ("outside_intended_use", 0)
    assert meaning(done).startswith("Body part was entered as SCHÄDEL.")
    assert done.outside_use[0]["source"] == "typed"


@pytest.mark.parametrize("part", ["RIBS", "PELVIS", "SHOULDER", "KNEE", ""])
def test_bones_are_judged(analyse, decoder, predictor, part):
    decoder.use = {"modality": "DX", "body_part_examined": part}
    done = analyse()
    assert (done.outcome, predictor.calls, done.outside_use) == ("malignant", 1, [])
    remarked = "body_part_not_in_training" in [one["code"] for one in done.warnings]
    assert remarked is (part == "RIBS")


def test_a_spine_says_on_the_page_that_no_model_learnt_from_it(client, doctor, analyse, decoder):
    decoder.use = {"modality": "DX", "body_part_examined": "LSPINE"}
    done = analyse()
    client.force_login(doctor)
    assert "trained on limbs and pelvis only" in client.get(f"/cases/{done.image.study_id}/").content.decode()


def test_the_audit_log_and_no_statistic_of_the_model_hold_it(analyse, decoder):
    decoder.use = {"modality": "DX", "body_part_examined": "CHEST"}
    done = analyse()
    assert done.modality == ""
    event = AuditEvent.objects.filter(action="result").latest("id")
    assert event.detail["reason"] == "outside_intended_use"
    assert comparison._newest_images(TUMOUR_ON_RADIOGRAPHS, 5) == []


def test_the_modality_of_a_film_is_true_while_it_waits_fails_and_is_asked_again(analyse, decoder, predictor):
    waiting = analyse(CaseFields(modality="CR"))
    assert waiting.image.modality == "CR"
    decoder.modality = "DX"
    predictor.error = ValueError("broken")
    failed = analyse()
    assert (failed.status, failed.image.modality, failed.modality) == ("failed", "DX", "")
    decoder.modality = "MR"
    again = analyse()
    reanalysis.reanalyse_case(again.image.study_id)
    queued = Analysis.objects.get(status="queued")
    assert (queued.modality, Image.objects.get(pk=again.image_id).modality) == ("", "MR")


def test_a_file_that_cannot_be_read_says_no_more_than_its_uploader(analyse, decoder):
    decoder.error = DecodeError("unreadable", "Export it again.")
    assert analyse(CaseFields(modality="MR")).image.modality == "MR"
    assert analyse().image.modality == ""


def test_a_waiting_analysis_belongs_to_no_model_yet():
    assert AnalysisFactory().modality == ""
