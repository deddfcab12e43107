"""The command that asks a model again: unsigned cases only, and the earlier answers stay."""

from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command

from accounts.models import AuditEvent
from analyses.models import Analysis, Study
from analyses.registry.services import default_model
from analyses.tests.factories import AnalysisFactory, ImageFactory, StudyFactory, result

pytestmark = pytest.mark.django_db


def reanalyse(capsys, *args, **options) -> list[str]:
    call_command("reanalyse", *map(str, args), **options)
    return capsys.readouterr().out.splitlines()


def test_the_films_of_an_unsigned_case_are_asked_again_and_keep_their_answers(capsys):
    first = result("malignant")
    study = first.image.study
    second = result("benign", study=study)
    warned = [{"code": "patient_name_mismatch", "field": "patient_name", "against": "file", "confirmed": "typed"}]
    Analysis.objects.filter(pk=first.pk).update(warnings=warned)
    lines = reanalyse(capsys, study.pk, model=default_model())
    assert lines == [f"{study.pk}: 2 films queued", "2 films queued; 0 of 1 cases left unchanged"]
    assert study.images.count() == 2
    for old in (first, second):
        kept = Analysis.objects.get(pk=old.pk)
        assert (kept.status, kept.outcome, kept.probabilities) == ("succeeded", old.outcome, old.probabilities)
        again = old.image.analyses.exclude(pk=old.pk).get()
        assert (again.status, again.wanted_model, again.requested_by) == ("queued", default_model(), old.requested_by)
    assert first.image.analyses.exclude(pk=first.pk).get().warnings == warned
    study.refresh_from_db()
    assert study.status == "queued"
    assert AuditEvent.objects.get(action="reanalyse").case_id == study.pk


def test_a_signed_case_is_left_as_it_is(capsys):
    signed = result("malignant").image.study
    Study.objects.filter(pk=signed.pk).update(reading_state="final")
    before = Study.objects.values().get(pk=signed.pk)
    lines = reanalyse(capsys, signed.pk)
    assert lines[0] == f"{signed.pk}: skipped, case_signed"
    assert Study.objects.values().get(pk=signed.pk) == before
    assert Analysis.objects.count() == 1


def test_a_film_that_still_waits_is_not_asked_twice(capsys):
    study = StudyFactory()
    AnalysisFactory(image=ImageFactory(study=study))
    assert "1 still waiting" in reanalyse(capsys, study.pk)[0]
    assert Analysis.objects.count() == 1


def test_cases_are_read_from_a_file_and_each_is_asked_once(capsys, tmp_path):
    study = result("normal").image.study
    nowhere = uuid4()
    listed = tmp_path / "cases.txt"
    listed.write_text(f"# from the audit\n{study.pk}  # knee\n\n{nowhere}\n{study.pk}\n")
    lines = reanalyse(capsys, cases=listed)
    assert lines[:2] == [f"{study.pk}: 1 films queued", f"{nowhere}: skipped, the case does not exist"]
    assert Analysis.objects.filter(status="queued").get().wanted_model == ""


@pytest.mark.parametrize(
    ("args", "options", "says"),
    [
        ((), {}, "Give case ids"),
        (("not-an-id",), {}, "not a case id"),
        ((str(uuid4()),), {"model": "absent-1"}, "unknown_model"),
    ],
)
def test_a_wrong_call_queues_nothing(args, options, says):
    result("normal")
    with pytest.raises(CommandError, match=says):
        call_command("reanalyse", *args, **options)
    assert Analysis.objects.count() == 1


def test_a_list_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("reanalyse", cases=tmp_path / "gone.txt")
