"""The administrator's page of models: facts, activation, roll-back, comparison on the same films."""

import numpy as np
import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.urls import reverse

from accounts.models import AuditEvent
from accounts.tests.factories import UserFactory
from analyses import tasks
from analyses.models import Analysis, Image, ModelActivation, ModelComparison, Outcome
from analyses.pipeline import comparison, queue, running
from analyses.registry import services as registry
from analyses.registry.uses import TUMOUR_ON_RADIOGRAPHS
from analyses.tests.factories import StudyFactory, result
from analyses.tests.toy_model import TOY, install_toy
from inference.imaging.canonical import encode_png
from inference.tests.toy import toy_film

pytestmark = pytest.mark.django_db
OTHER = "toy-1"


@pytest.fixture
def models_dir(tmp_path, monkeypatch):
    folder = tmp_path / "models"
    folder.mkdir()
    monkeypatch.setenv("BONESCAN_MODELS", str(folder))
    monkeypatch.setattr(running, "_process", {})
    install_toy(folder)
    return folder


@pytest.fixture
def admin_page(client, administrator, models_dir):
    client.force_login(administrator)
    return client


def text(answer) -> str:
    return answer.content.decode()


def test_the_list_shows_every_model_with_its_facts_and_faults(admin_page, models_dir):
    install_toy(models_dir, "broken-1")
    (models_dir / "broken-1" / "model.safetensors").unlink()
    shown = text(admin_page.get(reverse("analyses:registry")))
    for words in (registry.default_model(), ">active<", "default of the release", TOY, "broken-1", "cannot be used"):
        assert words in shown
    assert "broken-1" not in [
        key for key, _ in admin_page.get("/admin/models/").context["activate"].fields["model"].choices
    ]


def test_a_model_is_activated_and_rolled_back_by_hand(admin_page):
    answer = admin_page.post(reverse("analyses:model_activate"), {"model": TOY, "reason": "fewer misses"}, follow=True)
    assert f"{TOY} is now active." in text(answer)
    assert "fewer misses" in text(answer)
    assert f"Roll back to {registry.default_model()}" in text(answer)
    answer = admin_page.post(reverse("analyses:model_roll_back"), {"reason": "more alarms"}, follow=True)
    assert registry.active_model() == registry.default_model()
    assert "more alarms" in text(answer)


@pytest.mark.parametrize(
    ("name", "body", "says"),
    [
        ("model_activate", {"model": TOY, "reason": ""}, "required"),
        ("model_activate", {"model": "absent-1", "reason": "x"}, "not one of the available choices"),
        ("model_roll_back", {"reason": "x"}, "No other model has been active"),
        ("model_compare", {"model_a": TOY, "model_b": TOY, "films": "5"}, "Choose two different models."),
        ("model_compare", {"model_a": TOY, "model_b": "absent-1", "films": "5"}, "not one of the available choices"),
    ],
)
def test_a_refusal_is_shown_on_the_page_and_changes_nothing(admin_page, name, body, says):
    answer = admin_page.post(reverse(f"analyses:{name}"), body)
    assert answer.status_code in (400, 409)
    assert says in text(answer)
    assert not ModelActivation.objects.exists()
    assert not ModelComparison.objects.exists()


def test_activating_what_is_in_force_says_so(admin_page):
    body = {"model": registry.default_model(), "reason": "x"}
    answer = admin_page.post(reverse("analyses:model_activate"), body)
    assert (answer.status_code, "is already active" in text(answer)) == (409, True)


def test_the_page_warns_where_a_department_chose_a_point_that_the_model_lacks(admin_page, department, models_dir):
    department.operating_point = "rule_out"
    department.save()
    registry.activate_model(TUMOUR_ON_RADIOGRAPHS, TOY, reason="x", by=UserFactory(roles=["administrator"]))
    assert "do not work at their chosen operating point" in text(admin_page.get(reverse("analyses:registry")))


def test_the_page_warns_when_the_model_in_force_was_removed(admin_page, administrator, models_dir):
    registry.activate_model(TUMOUR_ON_RADIOGRAPHS, TOY, reason="x", by=administrator)
    for path in (models_dir / TOY).iterdir():
        path.unlink()
    assert "Every new film fails until this model is installed again" in text(
        admin_page.get(reverse("analyses:registry"))
    )


# --- comparison -----------------------------------------------------------------------------------------------
def stored_film(seed: int, **fields) -> Analysis:
    """A finished analysis whose stored canonical image is a film."""
    name = default_storage.save(f"canonical/{seed}.png", ContentFile(encode_png(toy_film(seed))))
    return result("malignant", image__canonical_file=name, **fields)


@pytest.fixture
def on_commit(django_capture_on_commit_callbacks):
    return django_capture_on_commit_callbacks


@pytest.fixture
def other(models_dir):
    """A model that refuses every film: its gate's cut-off cannot be reached."""
    install_toy(models_dir, OTHER, gate={"threshold": 1.1})
    return OTHER


def test_two_models_are_compared_on_the_newest_films(admin_page, other, monkeypatch, on_commit):
    films = [stored_film(seed) for seed in range(3)]
    sent = []
    monkeypatch.setattr(queue, "send", lambda task, argument: sent.append((task, argument)))
    with on_commit(execute=True):
        answer = admin_page.post(reverse("analyses:model_compare"), {"model_a": TOY, "model_b": other, "films": "2"})
    made = ModelComparison.objects.get()
    assert answer.url == reverse("analyses:model_comparison", args=[made.pk])
    assert sent == [(comparison.TASK, str(made.pk))]
    assert "0 of 2 films" in text(admin_page.get(answer.url))
    before = list(Analysis.objects.order_by("pk").values())
    tasks.run_comparison(str(made.pk))
    made.refresh_from_db()
    assert made.status == "succeeded"
    assert {row["analysis"] for row in made.result["rows"]} == {str(film.pk) for film in films[1:]}
    assert (made.result["films"], made.result["same"], len(made.result["flips"])) == (2, 0, 2)
    assert np.array(made.result["matrix"])[:, Outcome.values.index("not_analysable")].sum() == 2
    assert list(Analysis.objects.order_by("pk").values()) == before
    shown = text(admin_page.get(answer.url))
    assert str(films[2].pk) in shown
    assert "/cases/" not in shown.split("<main")[1]
    assert AuditEvent.objects.get(action="compare_models").detail["films"] == 2


def test_a_comparison_goes_on_where_it_stopped(admin_page, other, monkeypatch, administrator):
    for seed in range(3):
        stored_film(seed)
    made = comparison.request_comparison(TOY, other, films=3, by=administrator, wake=False)
    sent = []
    monkeypatch.setattr(queue, "send", lambda task, argument: sent.append(argument))
    clock = iter(range(100))
    monkeypatch.setattr(comparison.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(comparison, "SLICE_S", 2)
    assert comparison.run_slice(made.pk, seconds=2)
    made.refresh_from_db()
    assert (made.status, len(made.result["rows"])) == ("running", 1)
    admin_page.post(reverse("analyses:model_comparison", args=[made.pk]))
    assert sent == [str(made.pk)]
    while comparison.run_slice(made.pk, seconds=2):
        pass
    made.refresh_from_db()
    assert (made.status, made.result["films"]) == ("succeeded", 3)
    assert not comparison.run_slice(made.pk)


def test_the_broker_being_away_is_said_and_nothing_is_lost(admin_page, other, administrator, monkeypatch):
    made = comparison.request_comparison(TOY, other, films=3, by=administrator, wake=False)

    def away(task, argument):
        raise ConnectionError

    monkeypatch.setattr(queue, "send", away)
    answer = admin_page.post(reverse("analyses:model_comparison", args=[made.pk]), follow=True)
    assert "The queue cannot be reached" in text(answer)


def test_a_model_that_breaks_ends_the_comparison_with_its_sentence(admin_page, models_dir, other, administrator):
    stored_film(0)
    made = comparison.request_comparison(TOY, other, films=1, by=administrator, wake=False)
    (models_dir / other / "model.safetensors").unlink()
    assert not comparison.run_slice(made.pk)
    made.refresh_from_db()
    assert made.status == "failed"
    assert "weights file is missing" in made.error_message
    assert "weights file is missing" in text(admin_page.get(reverse("analyses:model_comparison", args=[made.pk])))


def test_films_of_other_modalities_are_left_out_and_lost_files_are_counted(other, administrator):
    stored_film(0, image__modality="MR")
    lost = stored_film(1)
    Image.objects.filter(pk=lost.image_id).update(canonical_file="canonical/gone.png")
    made = comparison.request_comparison(TOY, other, films=9, by=administrator, wake=False)
    assert not comparison.run_slice(made.pk)
    made.refresh_from_db()
    assert (made.result["films"], made.result["missing"], made.result["differences"]) == (0, 1, None)


def test_a_doctor_who_also_administers_gets_links_to_cases_of_the_own_department_only(client, department, other):
    both = UserFactory(roles=["administrator", "doctor"], department=department)
    mine, foreign = stored_film(0, study=StudyFactory(owner=department)), stored_film(1)
    made = comparison.request_comparison(TOY, other, films=5, by=both, wake=False)
    assert not comparison.run_slice(made.pk)
    client.force_login(both)
    shown = text(client.get(reverse("analyses:model_comparison", args=[made.pk])))
    assert reverse("analyses:case", args=[mine.image.study_id]) in shown
    assert reverse("analyses:case", args=[foreign.image.study_id]) not in shown
    assert str(foreign.pk) in shown


def test_the_summary_counts_pairs_and_puts_the_largest_difference_first():
    rows = [
        {"analysis": "1", "a": "normal", "b": "normal", "a_malignant": 0.1, "b_malignant": 0.2},
        {"analysis": "2", "a": "benign", "b": "malignant", "a_malignant": 0.2, "b_malignant": 0.3},
        {"analysis": "3", "a": "malignant", "b": "normal", "a_malignant": 0.9, "b_malignant": 0.1},
        {"analysis": "4", "a": "not_analysable", "b": "not_analysable", "a_malignant": None, "b_malignant": None},
        {"analysis": "5", "missing": True},
    ]
    found = comparison.summary(rows)
    assert (found["films"], found["missing"], found["same"]) == (4, 1, 2)
    assert [flip["analysis"] for flip in found["flips"]] == ["3", "2"]
    assert found["differences"] == {"n": 3, "median": 0.1, "median_size": 0.1, "largest": 0.8}
    order = Outcome.values
    assert found["matrix"][order.index("malignant")][order.index("normal")] == 1
    assert sum(map(sum, found["matrix"])) == 4


def test_the_command_prints_the_matrix_and_the_flips(capsys, other):
    film = stored_film(0)
    call_command("compare_models", TOY, other, "--cases", "5")
    out = capsys.readouterr().out
    assert "1 films, 0 with the same outcome, 0 missing" in out
    assert f"{film.pk}: " in out
    assert "-> not_analysable" in out


def test_the_command_refuses_models_that_are_not_installed(models_dir):
    with pytest.raises(CommandError, match="unknown_model"):
        call_command("compare_models", TOY, "absent-1")
