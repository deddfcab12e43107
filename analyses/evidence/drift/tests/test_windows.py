"""Windows hold each row once, and figures alarm by Holm's adjusted p-values."""

import pytest

from analyses.evidence.drift import services as drift
from analyses.models import Analysis, DriftAlarm, DriftCheck
from analyses.tests.monitored_films import KEY, START

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("at_one_moment", [False, True])
def test_every_film_is_in_one_window_and_none_in_two(films, monkeypatch, at_one_moment):
    seen: list[list] = []

    def noted(monitored, window, *, collecting):
        seen.append([row.pk for row in window])
        return []

    monkeypatch.setattr(drift, "_figures", noted)
    rows = films.add(3 * drift.WINDOW + 50)
    if at_one_moment:
        Analysis.objects.update(finished_at=START)
    assert drift.check_windows(KEY) == 3
    assert [len(window) for window in seen] == [drift.WINDOW] * 3
    order = [row.pk for row in rows] if not at_one_moment else sorted(row.pk for row in rows)
    assert [pk for window in seen for pk in window] == order[: 3 * drift.WINDOW]
    films.add(50)
    if at_one_moment:
        # Those that came later with a smaller key are of a moment that is over.
        return
    assert drift.check_windows(KEY) == 1
    assert not set(seen[3]) & {pk for window in seen[:3] for pk in window}


@pytest.mark.parametrize(
    ("values", "alarms"),
    [
        # Alone each is below the level; among eleven figures none is.
        ([0.009] + [0.5] * 10, 0),
        ([0.0009] + [0.5] * 10, 1),
        ([0.0005, 0.0009, 0.0011] + [0.9] * 8, 3),
        ([0.0005, 0.0009, 0.0014] + [0.9] * 8, 2),
        ([0.005] * 11, 0),
    ],
)
def test_a_figure_alarms_by_its_adjusted_p_value(films, monkeypatch, values, alarms):
    given = iter([*values, *values])

    def entry(figure, source, reference, rows):
        p = next(given)
        return {"name": figure.name, "group": figure.group, "source": source, "psi": 0.1, "p": p, "alarm": False}

    monkeypatch.setattr(drift, "_entry", entry)
    films.add(drift.WINDOW)
    drift.check_windows(KEY)
    check = DriftCheck.objects.get()
    figures = {row["name"]: row for row in check.figures}
    assert DriftAlarm.objects.count() == alarms == sum(row["alarm"] for row in figures.values())
    for alarm in DriftAlarm.objects.all():
        assert alarm.adjusted_p == figures[alarm.figure]["adjusted_p"] <= drift.LEVEL
    for row in figures.values():
        assert row["adjusted_p"] >= row["p"]
