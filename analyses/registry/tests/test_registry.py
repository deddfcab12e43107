"""Which model answers: activated with a reason, rolled back, and never one that does not match its card."""

import json

import numpy as np
import pytest
from django.core.files.base import ContentFile
from django.db import DatabaseError, connection, transaction

from accounts.models import AuditEvent
from analyses.errors import ServiceError
from analyses.intake import services as intake
from analyses.intake.services import CaseFields
from analyses.models import Analysis, ModelActivation
from analyses.pipeline import queue, running
from analyses.registry import services as registry
from analyses.registry.uses import TUMOUR_ON_RADIOGRAPHS as USE
from analyses.registry.uses import IntendedUse, group_of
from analyses.tests.factories import png_bytes
from analyses.tests.fakes import FakeDecoder
from analyses.tests.toy_model import TOY, install_toy
from inference.card import ModelIdentity
from inference.errors import WeightsError

pytestmark = pytest.mark.django_db


@pytest.fixture
def models_dir(tmp_path, monkeypatch):
    folder = tmp_path / "models"
    folder.mkdir()
    monkeypatch.setenv("BONESCAN_MODELS", str(folder))
    return folder


@pytest.fixture
def toy(models_dir):
    return install_toy(models_dir)


def code_of(call, *args, **kwargs) -> str:
    with pytest.raises(ServiceError) as refusal:
        call(*args, **kwargs)
    return refusal.value.code


def test_without_an_activation_the_releases_default_answers():
    assert registry.active_model() == registry.default_model()
    assert registry.folder_of(registry.active_model()).is_dir()


def test_an_activation_is_in_force_and_recorded(toy, administrator):
    row = registry.activate_model(USE, TOY, reason=" better  on our films ", by=administrator)
    assert registry.active_model() == TOY
    assert (row.previous, row.reason) == (registry.default_model(), "better on our films")
    assert row.model_sha256 == toy["weights"]["sha256"]
    event = AuditEvent.objects.get(action="activate_model")
    assert event.user == administrator
    assert event.detail["model"] == TOY


def test_rolling_back_brings_the_model_before_and_takes_nothing_away(toy, administrator):
    registry.activate_model(USE, TOY, reason="try", by=administrator)
    row = registry.roll_back_model(USE, reason="worse", by=administrator)
    assert registry.active_model() == registry.default_model() == row.model_key
    assert [entry.model_key for entry in registry.history()] == [registry.default_model(), TOY]
    assert AuditEvent.objects.filter(action="roll_back_model").count() == 1


def test_what_is_in_force_cannot_be_activated_again(administrator):
    assert code_of(registry.activate_model, USE, registry.default_model(), reason="x", by=administrator) == (
        "already_active"
    )


def test_without_a_history_there_is_nothing_to_roll_back(administrator):
    assert code_of(registry.roll_back_model, USE, reason="x", by=administrator) == "nothing_to_roll_back"


@pytest.mark.parametrize("reason", ["", "  ", "x" * 201])
def test_a_reason_is_needed(toy, administrator, reason):
    assert code_of(registry.activate_model, USE, TOY, reason=reason, by=administrator) == "bad_field"
    assert not ModelActivation.objects.exists()


@pytest.mark.parametrize("modality", ["MR", "CT", ""])
def test_a_modality_without_a_place_in_the_registry_is_refused(toy, administrator, modality):
    use = IntendedUse(modality, "tumour")
    assert code_of(registry.activate_model, use, TOY, reason="x", by=administrator) == "unknown_modality"


def test_a_model_that_is_not_installed_is_refused(administrator):
    assert code_of(registry.activate_model, USE, "../../etc", reason="x", by=administrator) == "unknown_model"


def damage_card(folder, card):
    (folder / TOY / "card.json").write_text("{")


def damage_weights(folder, card):
    with (folder / TOY / "model.safetensors").open("ab") as weights:
        weights.write(b"\0")


def remove_weights(folder, card):
    (folder / TOY / "model.safetensors").unlink()


def rename_card(folder, card):
    (folder / TOY / "card.json").write_text(json.dumps(card | {"version": "1"}))


@pytest.mark.parametrize("damage", [damage_card, damage_weights, remove_weights, rename_card])
def test_a_model_without_a_matching_card_cannot_be_activated(models_dir, toy, administrator, damage):
    damage(models_dir, toy)
    assert code_of(registry.activate_model, USE, TOY, reason="x", by=administrator) == "model_unfit"
    assert registry.active_model() == registry.default_model()
    assert next(model.fault for model in registry.installed_models() if model.key == TOY)


def test_a_model_of_another_modality_cannot_be_activated(models_dir, administrator):
    install_toy(models_dir, modality=["MR"])
    assert code_of(registry.activate_model, USE, TOY, reason="x", by=administrator) == "wrong_modality"


def test_radiographs_are_one_group_and_others_have_none():
    assert {group_of(modality) for modality in ("CR", "DX", "")} == {"DX"}
    assert {group_of(modality) for modality in ("MR", "CT", "US")} == {""}


def test_a_card_without_its_acceptance_rule_cannot_be_activated_but_one_that_is_active_goes_on(
    models_dir, toy, administrator
):
    registry.activate_model(USE, TOY, reason="better", by=administrator)
    install_toy(models_dir, acceptance=None)
    assert registry.active_model() == TOY
    registry.activate_model(USE, registry.default_model(), reason="back", by=administrator)
    assert code_of(registry.activate_model, USE, TOY, reason="again", by=administrator) == "no_acceptance_rule"
    assert code_of(registry.roll_back_model, USE, reason="again", by=administrator) == "no_acceptance_rule"


def test_activations_are_only_added(toy, administrator):
    row = registry.activate_model(USE, TOY, reason="x", by=administrator)
    with pytest.raises(TypeError):
        row.save()
    with pytest.raises(TypeError):
        row.delete()


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite, for trials, relies on the model")
def test_the_database_itself_refuses_to_change_an_activation(toy, administrator):
    registry.activate_model(USE, TOY, reason="x", by=administrator)
    with pytest.raises(DatabaseError), transaction.atomic():
        ModelActivation.objects.update(reason="y")
    with pytest.raises(DatabaseError), transaction.atomic():
        ModelActivation.objects.all()._raw_delete("default")


def test_the_model_in_force_is_found_with_one_query(toy, administrator, django_assert_num_queries):
    registry.activate_model(USE, TOY, reason="x", by=administrator)
    with django_assert_num_queries(1):
        assert registry.active_model() == TOY


def test_every_page_names_the_model_in_force(toy, client, administrator, django_capture_on_commit_callbacks):
    client.force_login(administrator)
    assert f"Model {registry.shown_model().name}" in client.get("/status/").content.decode()
    with django_capture_on_commit_callbacks(execute=True):
        registry.activate_model(USE, TOY, reason="x", by=administrator)
    assert "Model toy 0" in client.get("/status/").content.decode()


# --- the worker -----------------------------------------------------------------------------------------------
@pytest.fixture
def analyse(doctor, monkeypatch):
    monkeypatch.setattr(running, "_process", {"decoder": FakeDecoder()})
    seeds = iter(range(100))

    def run(**values) -> Analysis:
        upload = ContentFile(png_bytes(seed=next(seeds)), name="x")
        posted = intake.submit_image(user=doctor, token=None, upload=upload, fields=CaseFields()).analysis
        if values:
            Analysis.objects.filter(pk=posted.pk).update(**values)
        assert running.run(posted.pk, "w", seconds=0)
        return Analysis.objects.get(pk=posted.pk)

    return run


def test_the_worker_asks_the_model_in_force_and_every_answer_keeps_its_own(toy, analyse, administrator):
    before = analyse()
    registry.activate_model(USE, TOY, reason="x", by=administrator)
    after = analyse()
    assert f"{before.model_name}-{before.model_version}" == registry.default_model()
    assert (after.model_name, after.model_version, after.model_sha256) == ("toy", "0", toy["weights"]["sha256"])
    before.refresh_from_db()
    assert f"{before.model_name}-{before.model_version}" == registry.default_model()
    assert before.operating_point != after.operating_point


def test_an_analysis_that_wants_a_model_gets_that_one(toy, analyse):
    done = analyse(wanted_model=TOY)
    assert (done.status, done.model_name) == ("succeeded", "toy")


def test_a_model_that_is_gone_fails_the_film_instead_of_another_answering(models_dir, toy, analyse, administrator):
    registry.activate_model(USE, TOY, reason="x", by=administrator)
    for path in (models_dir / TOY).iterdir():
        path.unlink()
    done = analyse()
    assert (done.status, done.error_code, done.outcome) == ("failed", "model_not_installed", "")


def test_a_process_keeps_few_models(models_dir, monkeypatch):
    monkeypatch.setattr(running, "_process", {})
    keys = [f"toy-{number}" for number in range(3)]
    for key in keys:
        install_toy(models_dir, key)
    first = running.predictor(keys[0])
    assert running.predictor(keys[0]) is first
    running.predictor(keys[1])
    running.predictor(keys[0])
    running.predictor(keys[2])
    assert list(running._process["predictors"]) == [keys[0], keys[2]]
    with pytest.raises(WeightsError) as refusal:
        running.predictor("absent-1")
    assert refusal.value.code == "model_not_installed"


class Chosen:
    """A loaded model with both operating points that remembers what it was asked."""

    def __init__(self, *names: str) -> None:
        self.card = {"operating_points": {name: {"name": name} for name in names}}
        self.identity = ModelIdentity("chosen", "1", "d" * 64)


@pytest.mark.parametrize(
    ("wanted", "has", "asked"),
    [
        ("rule_out", ("balanced", "rule_out"), {"operating_point": "rule_out"}),
        ("rule_out", ("balanced",), {}),
        ("balanced", ("balanced", "rule_out"), {}),
    ],
)
def test_the_departments_operating_point_is_used_where_the_model_has_it(wanted, has, asked):
    assert running.cut_offs(Chosen(*has), wanted) == asked


def test_a_claim_brings_the_departments_operating_point_without_another_statement(
    doctor, department, django_assert_num_queries
):
    department.operating_point = "rule_out"
    department.save()
    upload = ContentFile(png_bytes(), name="x")
    posted = intake.submit_image(user=doctor, token=None, upload=upload, fields=CaseFields()).analysis
    claim = queue.claim(posted.pk, "w")
    with django_assert_num_queries(0):
        assert claim.analysis.department.operating_point == "rule_out"
        assert claim.analysis.wanted_model == ""


def test_the_worker_hands_the_departments_choice_to_a_model_that_has_it(analyse, department):
    asked = []

    class Model(Chosen):
        def predict(self, canonical, *, on_stage=None, explain=True, operating_point="balanced"):
            asked.append((operating_point, np.asarray(canonical).ndim))
            raise WeightsError("bad_card", "enough seen")

    running._process["predictors"] = {registry.default_model(): Model("balanced", "rule_out")}
    analyse()
    type(department).objects.update(operating_point="rule_out")
    analyse()
    assert asked == [("balanced", 2), ("rule_out", 2)]
