"""A model of fractures from its folder to an answer: installed, off, activated, asked by a worker, shown."""

import pytest

from analyses.models import Analysis, Task
from analyses.pipeline import running
from analyses.registry import services as registry
from analyses.registry.uses import TUMOUR_ON_RADIOGRAPHS
from inference.lab.fracture.card import acceptance_rule
from inference.tests.toy import toy_finding

pytestmark = pytest.mark.django_db
KEY = "toy-finding-0"


@pytest.fixture
def installed(tmp_path, monkeypatch) -> str:
    monkeypatch.setenv("BONESCAN_MODELS", str(tmp_path))
    toy_finding(tmp_path / KEY, acceptance=acceptance_rule(0.1).as_dict())
    return KEY


def test_an_installed_model_of_fractures_is_off_until_an_administrator_activates_it(
    installed, fracture, administrator, analyse
):
    assert (registry.keys_for(fracture), registry.active_model(fracture)) == ([KEY], "")
    assert KEY not in registry.keys_for(TUMOUR_ON_RADIOGRAPHS)
    film = analyse()
    assert film.image.analyses.count() == 1
    before = registry.active_model(TUMOUR_ON_RADIOGRAPHS)
    registry.activate_model(fracture, KEY, reason="first", by=administrator)
    assert registry.active_model(TUMOUR_ON_RADIOGRAPHS) == before
    film = analyse()
    answer = Analysis.objects.get(image=film.image, task=Task.FRACTURE)
    if answer.status == "queued":
        assert running.run(answer.pk, "w")
        answer.refresh_from_db()
    assert (answer.status, answer.model_name) == ("succeeded", "toy-finding")
    assert answer.outcome in ("fracture", "no_fracture", "withheld", "not_analysable")


def test_the_pages_of_models_show_the_cut_off_and_the_figures_of_the_task(
    installed, fracture, administrator, client, doctor
):
    client.force_login(administrator)
    page = client.get("/admin/models/?modality=DX&task=fracture")
    text = page.content.decode()
    assert page.status_code == 200, page.status_code
    assert KEY in text
    assert "Malignant sensitivity" not in text
    client.force_login(doctor)
    card = client.get(f"/model/{KEY}/").content.decode()
    assert "fracture from 0" in card
    assert "malignant from" not in card
