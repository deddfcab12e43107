"""The pages of the models speak of one modality and task at a time; with one alone nothing names it."""

import pytest
from django.urls import reverse

from analyses.models import ModelComparison
from analyses.pipeline import holds
from analyses.registry import services as registry
from analyses.registry.uses import TUMOUR_ON_RADIOGRAPHS
from analyses.tests.toy_model import TOY, install_toy
from analyses.tests.uses import SECOND

pytestmark = pytest.mark.django_db
MINE = "second-1"


@pytest.fixture
def web(client, administrator, tmp_path, monkeypatch):
    monkeypatch.setenv("BONESCAN_MODELS", str(tmp_path))
    install_toy(tmp_path)
    client.force_login(administrator)
    return client


@pytest.fixture
def installed(second, web, tmp_path):
    """The second use with a model to be activated."""
    install_toy(tmp_path, MINE, modality=[second.modality], task=second.task)
    return second


both = pytest.mark.parametrize("second", SECOND, indirect=True)


@pytest.mark.parametrize("name", ["analyses:registry", "analyses:model", "analyses:drift"])
def test_with_one_use_alone_a_page_names_no_other(web, name):
    answer = web.get(reverse(name))
    assert answer.context["use_tabs"] == []
    assert "Modalities and tasks" not in answer.content.decode()


@both
def test_each_use_lists_its_own_models_and_what_fits_none(installed, web, tmp_path):
    install_toy(tmp_path, "damaged-0", weights={})
    mine = web.get(reverse("analyses:registry"), installed._asdict()).context
    assert [row["key"] for row in mine["models"]] == ["damaged-0", MINE]
    assert (mine["active"], mine["default"], mine["group"]) == ("", "", installed.label)
    others = web.get(reverse("analyses:registry")).context
    listed = [row["key"] for row in others["models"]]
    assert {TOY, registry.default_model(), "damaged-0"} <= set(listed)
    assert MINE not in listed
    assert MINE not in dict(others["activate"].fields["model"].choices)


@both
def test_a_use_without_a_model_says_so_and_is_activated_by_hand(installed, web):
    shown = web.get(reverse("analyses:registry"), installed._asdict()).content.decode()
    assert "No active model" in shown
    assert "is not installed" not in shown
    body = {**installed._asdict(), "model": MINE, "reason": "first one"}
    answer = web.post(reverse("analyses:model_activate"), body, follow=True)
    assert (answer.context["use"], answer.context["active"]) == (installed, MINE)
    assert registry.active_model() == registry.default_model()
    assert [row.model_key for row in answer.context["history"]] == [MINE]
    assert list(web.get(reverse("analyses:registry")).context["history"]) == []
    answer = web.post(reverse("analyses:model_roll_back"), {**installed._asdict(), "reason": "x"})
    assert (answer.status_code, answer.context["use"]) == (409, installed)


@both
def test_a_model_of_another_use_cannot_be_chosen(installed, web):
    body = {**installed._asdict(), "model": TOY, "reason": "x"}
    assert web.post(reverse("analyses:model_activate"), body).status_code == 400
    assert web.post(reverse("analyses:model_activate"), {"model": MINE, "reason": "x"}).status_code == 400


@both
def test_holds_are_set_and_lifted_for_the_use_of_the_page(installed, web):
    words = installed._asdict()
    answer = web.post(reverse("analyses:hold_set"), {**words, "reason": "drift"}, follow=True)
    assert answer.context["use"] == installed
    assert holds.in_force(installed) is not None
    assert holds.in_force(TUMOUR_ON_RADIOGRAPHS) is None
    shown = answer.content.decode()
    assert f"{installed.label}: The model is withheld for all users." in shown
    assert web.get(reverse("analyses:registry")).context["hold"] is None
    assert web.post(reverse("analyses:hold_lift"), {"reason": "x"}).status_code == 409
    assert web.post(reverse("analyses:hold_set"), {**words, "reason": ""}).context["use"] == installed
    web.post(reverse("analyses:hold_lift"), {**words, "reason": "mended"})
    assert holds.in_force(installed) is None


@both
def test_comparisons_are_listed_with_their_use(installed, web):
    values = {"model_a": "a-1", "model_b": "b-1", "films": 1}
    mine = ModelComparison.objects.create(modality=installed.modality, task=installed.task, **values)
    other = ModelComparison.objects.create(modality="DX", **values)
    assert list(web.get(reverse("analyses:registry"), installed._asdict()).context["comparisons"]) == [mine]
    assert list(web.get(reverse("analyses:registry")).context["comparisons"]) == [other]


@both
def test_the_model_page_shows_the_history_and_versions_of_its_use(installed, web, administrator):
    url = reverse("analyses:model")
    empty = web.get(url, installed._asdict())
    assert (empty.status_code, "No active model" in empty.content.decode()) == (503, True)
    registry.activate_model(installed, MINE, reason="first one", by=administrator)
    shown = web.get(url, installed._asdict())
    assert (shown.context["key"], shown.context["versions"]) == (MINE, [MINE])
    assert "first one" in shown.content.decode()
    by_name = web.get(reverse("analyses:model_version", args=[MINE])).context
    assert (by_name["use"], by_name["active"]) == (installed, MINE)
    ours = web.get(url)
    assert (ours.context["key"], "first one" in ours.content.decode()) == (registry.default_model(), False)


def test_a_use_without_a_place_in_the_registry_has_no_page(web):
    for words in ({"modality": "MR"}, {"task": "dislocation"}):
        for name in ("analyses:registry", "analyses:model", "analyses:drift"):
            assert web.get(reverse(name), words).status_code == 404
        assert web.post(reverse("analyses:hold_set"), {"reason": "x", **words}).status_code == 404
