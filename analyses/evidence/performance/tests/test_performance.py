"""Performance at this site: every figure equals one computed separately, and small numbers are not shown as rates."""

import codecs
import csv
import io
import random
from collections import Counter
from datetime import UTC, date, datetime
from math import exp, log, sqrt

import pytest
from django.utils import translation

from accounts.models import AuditEvent, ReadingMode
from accounts.tests.factories import UserFactory
from analyses.blinding.case_state import CaseState
from analyses.evidence.performance import figures
from analyses.evidence.performance.rows import DICTIONARY, age_group, rows_for
from analyses.models import Analysis, CaseOutcome, Review, Study, UnaidedReading
from analyses.tests.factories import AnalysisFactory, ImageFactory, PatientFactory, StudyFactory

pytestmark = pytest.mark.django_db
KINDS = ("normal", "benign", "malignant")
Z = 1.959963984540054


def closed_case(reader, truth="malignant", *, answer="malignant", probability=0.8, own="", own_likelihood=None, **more):
    """A signed case with its answer, readings and outcome; without ``own`` it was read with the answer in sight."""
    final, arm = more.get("final", "malignant"), more.get("arm", "")
    patient = more.get("patient") or PatientFactory(department=reader.department)
    signed_at = more.get("signed_at", datetime(2026, 5, 4, 9, tzinfo=UTC))
    study = StudyFactory(
        owner=reader.department, patient=patient, reading_state="final", status="succeeded", outcome=answer,
        malignant_probability=probability, body_part_examined=more.get("body_part", "KNEE"),
    )  # fmt: skip
    AnalysisFactory(
        image=ImageFactory(study=study), status="succeeded", outcome=answer, model_name="m", model_version="1"
    )
    agrees = answer == final if answer in KINDS else None
    Review.objects.create(
        study=study, reader=reader, reading=final, likelihood=more.get("likelihood"), model_outcome=answer,
        agrees_with_model=agrees, signed_at=signed_at,
    )  # fmt: skip
    if own:
        mode = ReadingMode.TRIAL if arm else ReadingMode.OWN_FIRST
        UnaidedReading.objects.create(
            study=study, reader=reader, mode=mode, arm=arm, reading=own, likelihood=own_likelihood,
            opened_at=signed_at, locked_at=signed_at, answer=more.get("at_lock"),
        )  # fmt: skip
    CaseOutcome.objects.create(
        study=study, version=1, truth=truth, method="pathology", established_on=date(2026, 6, 1), entered_by=reader
    )
    return study


@pytest.fixture
def colleague(department):
    return UserFactory(department=department, roles=["doctor"])


@pytest.fixture
def site(doctor, colleague):
    """150 closed cases of about 100 patients, drawn with a fixed seed; returns what was drawn, as plain dicts."""
    draw = random.Random(11)
    patients = [PatientFactory(department=doctor.department, patient_sex=draw.choice("MF")) for _ in range(100)]
    drawn = []
    for _ in range(150):
        truth = draw.choice(KINDS)
        ill = truth == "malignant"
        case = {
            "patient": draw.choice(patients),
            "truth": truth,
            "answer": draw.choices([*KINDS, "withheld"], [1, 1, 3 if ill else 0.6, 0.7])[0],
            "probability": round(min(0.99, max(0.01, draw.gauss(0.65 if ill else 0.3, 0.2))), 2),
            "own": draw.choices(["", *KINDS, "cannot_tell"], [2, 1, 1, 3 if ill else 0.7, 0.4])[0],
            "final": draw.choices([*KINDS, "cannot_tell"], [1, 1, 4 if ill else 0.5, 0.3])[0],
            "arm": draw.choice(["", "", "", "hidden", "shown"]),
            "reader": draw.choice([doctor, colleague]),
            "body_part": draw.choice(["KNEE", "HIP"]),
            "signed_at": datetime(2026, draw.choice([2, 5, 8]), 4, 9, tzinfo=UTC),
        }
        case["arm"] = case["arm"] if case["own"] else ""
        tells = case["own"] not in ("", "cannot_tell")
        case["own_likelihood"] = draw.randrange(40, 101) - (0 if ill else 35) if tells else None
        case["likelihood"] = draw.randrange(30, 101) - (0 if ill else 30) if case["final"] != "cannot_tell" else None
        closed_case(**case)
        drawn.append(case | {"ill": ill})
    return drawn


@pytest.fixture
def web(client, doctor):
    client.force_login(doctor)
    return client


# --- the same figures with plain loops ---------------------------------------------------------------------------
def score_interval(share, size):
    half = Z * sqrt(share * (1 - share) / size + Z * Z / (4 * size * size))
    return [(share + Z * Z / (2 * size) + sign * half) / (1 + Z * Z / size) for sign in (-1, 1)]


def loop_share(pairs):
    """Share and interval from (hit, patient) pairs, by sums over patients."""
    n, hits = len(pairs), sum(hit for hit, _ in pairs)
    share = hits / n
    by_patient = {}
    for hit, patient in pairs:
        total = by_patient.setdefault(patient, [0, 0])
        total[0] += hit
        total[1] += 1
    units = len(by_patient)
    variance = units / (units - 1) * sum((y - m * share) ** 2 for y, m in by_patient.values()) / n**2
    effect = max(1, variance / (share * (1 - share) / n)) if 0 < share < 1 else n / units
    return [n, share, *score_interval(share, n / effect)]


def loop_area(triples):
    """Area and interval from (score, ill, patient) triples, by loops over pairs."""
    ill = [(score, patient) for score, truth, patient in triples if truth]
    well = [(score, patient) for score, truth, patient in triples if not truth]
    wins = [[(a > b) + (a == b) / 2 for b, _ in well] for a, _ in ill]
    area = sum(map(sum, wins)) / len(ill) / len(well)
    first, second = Counter(), Counter()
    for row, (_, patient) in zip(wins, ill, strict=True):
        first[patient] += sum(row) / len(well) - area
    for index, (_, patient) in enumerate(well):
        second[patient] += sum(row[index] for row in wins) / len(ill) - area
    m, n, units = len(ill), len(well), len({patient for _, _, patient in triples})
    ten, one = len({p for _, p in ill}), len({p for _, p in well})
    variance = ten / (ten - 1) * sum(v * v for v in first.values()) / m**2
    variance += one / (one - 1) * sum(v * v for v in second.values()) / n**2
    variance += 2 * units / (units - 1) * sum(first[p] * second[p] for p in first) / (m * n)
    half = Z * sqrt(variance) / (area * (1 - area))
    return [min(m, n), area, *(1 / (1 + exp(-(log(area / (1 - area)) + s * half))) for s in (-1, 1))]


def values(shown):
    return [shown.n, shown.figure.estimate, shown.figure.low, shown.figure.high]


CALLS = {
    "Model alone": lambda c: None if c["answer"] == "withheld" else c["answer"] == "malignant",
    "Reader without the model": lambda c: None if c["own"] == "cannot_tell" else c["own"] == "malignant",
    "Reader with the model": lambda c: None if c["final"] == "cannot_tell" else c["final"] == "malignant",
}
COUNTS = {
    "Model alone": lambda c: True,
    "Reader without the model": lambda c: c["own"] != "",
    "Reader with the model": lambda c: c["arm"] != "hidden",
}
SCORES = {
    "Model alone": lambda c: None if c["answer"] == "withheld" else c["probability"],
    "Reader without the model": lambda c: c["own_likelihood"],
    "Reader with the model": lambda c: c["likelihood"],
}


@pytest.mark.parametrize("name", CALLS)
def test_the_figures_are_those_of_a_separate_calculation(web, site, name):
    row = next(row for row in web.get("/performance/").context["observers"] if row["name"] == name)
    cases = [(CALLS[name](c), c["ill"], c["patient"].pk, SCORES[name](c)) for c in site if COUNTS[name](c)]
    called = [case for case in cases if case[0] is not None]
    expected = {
        "sensitivity": loop_share([(c, p) for c, ill, p, _ in called if ill]),
        "specificity": loop_share([(not c, p) for c, ill, p, _ in called if not ill]),
        "ppv": loop_share([(ill, p) for c, ill, p, _ in called if c]),
        "npv": loop_share([(not ill, p) for c, ill, p, _ in called if not c]),
        "sensitivity_missed": loop_share([(c is True, p) for c, ill, p, _ in cases if ill]),
        "specificity_missed": loop_share([(c is False, p) for c, ill, p, _ in cases if not ill]),
        "area": loop_area([(s, ill, p) for _, ill, p, s in cases if s is not None]),
    }
    assert (row["cases"], row["without"]) == (len(cases), len(cases) - len(called))
    for figure, numbers in expected.items():
        assert values(row[figure]) == pytest.approx(numbers, abs=1e-9), figure


def test_withheld_overruled_and_groups_are_those_of_a_separate_calculation(web, site, doctor):
    page = web.get("/performance/").context
    assert values(page["withheld"]) == pytest.approx(
        loop_share([(c["answer"] == "withheld", c["patient"].pk) for c in site])
    )
    seen = [c for c in site if c["answer"] != "withheld" and c["arm"] != "hidden"]
    assert values(page["overruled"]) == pytest.approx(
        loop_share([(c["answer"] != c["final"], c["patient"].pk) for c in seen])
    )
    tables = {table["title"]: table["rows"] for table in page["groups"]}
    assert [row["name"] for row in tables["Quarter of the signature"]] == ["2026 Q1", "2026 Q2", "2026 Q3"]
    assert [row["name"] for row in tables["Reader"]] == ["you", "other readers"]
    mine = [c for c in site if c["reader"] == doctor]
    row = tables["Reader"][0]
    assert (row["cases"], row["malignant"]) == (len(mine), sum(c["ill"] for c in mine))
    assert values(row["cells"][0]) == pytest.approx(
        loop_share(
            [(c["answer"] == "malignant", c["patient"].pk) for c in mine if c["ill"] and c["answer"] != "withheld"]
        )
    )
    for title, key in (("Body part", lambda c: c["body_part"].lower()), ("Sex", lambda c: c["patient"].patient_sex)):
        assert sorted(row["cases"] for row in tables[title]) == sorted(Counter(map(key, site)).values())


def test_changes_of_mind_are_counted_with_their_direction(web, site):
    flips = web.get("/performance/").context["flips"]
    pairs = [c for c in site if c["own"] and c["arm"] != "hidden"]
    counted = Counter()
    for c in pairs:
        own, final, truth, answer = c["own"], c["final"], c["truth"], c["answer"]
        if own == final:
            counted["same", own == truth] += 1
            continue
        change = "right" if final == truth else "wrong" if own == truth else "other"
        where = "neither" if answer == "withheld" or answer not in (own, final) else "to" if final == answer else "from"
        counted[change, where] += 1
    assert flips["pairs"] == len(pairs)
    assert [row["cells"] for row in flips["table"]] == [
        [counted[change, where] for where in ("to", "from", "neither")] for change in ("right", "wrong", "other")
    ]
    assert (flips["unchanged_right"], flips["unchanged_wrong"]) == (counted["same", True], counted["same", False])


def test_calibration_is_observed_against_stated_in_each_bin_that_has_enough(web, site):
    page = web.get("/performance/").context
    answered = [c for c in site if c["answer"] != "withheld"]
    for lower in range(10):
        members = [c for c in answered if int(c["probability"] * 10) == lower]
        found = [p for p in page["plot"]["points"] if lower / 10 <= p["stated"] < (lower + 1) / 10]
        if len(members) >= 10:
            assert found[0]["observed"] == pytest.approx(sum(c["ill"] for c in members) / len(members))
            assert found[0]["n"] == len(members)
        else:
            assert found == []
            assert [b["n"] for b in page["thin_bins"] if b["from"] == lower / 10] == ([len(members)] if members else [])


# --- small numbers, empty pages, borders ---------------------------------------------------------------------------
def test_nine_cases_are_a_number_and_ten_are_a_rate(web, doctor):
    for _ in range(9):
        closed_case(doctor)
    text = web.get("/performance/").content.decode()
    assert "n = 9, too few" in text
    assert "<b>1.000</b>" not in text
    assert "<circle" not in text
    closed_case(doctor)
    text = web.get("/performance/").content.decode()
    assert "<b>1.000</b>" in text
    assert "n = 9, too few" not in text


def test_without_a_closed_case_the_page_says_how_to_begin(web, doctor):
    StudyFactory(owner=doctor.department, reading_state="final")
    text = web.get("/performance/").content.decode()
    assert "No case is closed yet" in text
    assert "/outcomes/import/" in text
    assert web.get("/performance/rows.csv").content.decode("utf-8-sig").strip() == ",".join(DICTIONARY)


def test_another_departments_cases_are_not_counted(web, doctor, second_doctor):
    closed_case(second_doctor)
    assert web.get("/performance/").context["rows"] == []
    closed_case(doctor)
    assert len(web.get("/performance/").context["rows"]) == 1


def test_a_corrected_outcome_counts_once_with_its_newest_version(web, doctor):
    study = closed_case(doctor)
    CaseOutcome.objects.filter(study=study).update(is_current=False)
    CaseOutcome.objects.create(
        study=study, version=2, truth="benign", method="pathology", established_on=date(2026, 7, 1), entered_by=doctor
    )
    assert [row.truth for row in rows_for(doctor)] == ["benign"]


@pytest.mark.parametrize("mode", [ReadingMode.OWN_FIRST, ReadingMode.TRIAL])
def test_every_case_that_counts_shows_its_answer_to_this_doctor_and_no_other_counts(doctor, colleague, mode):
    closed = closed_case(colleague)
    doctor.department.reading_mode = mode
    doctor.department.save()
    hidden = closed_case(colleague)
    Study.objects.filter(pk=hidden.pk).update(reading_state="preliminary")
    Review.objects.filter(study=hidden).update(signed_at=None)
    hidden.refresh_from_db()
    assert not CaseState(hidden, doctor).sees_model
    assert [row.case for row in rows_for(doctor)] == [closed.pk]
    assert all(CaseState(Study.objects.get(pk=row.case), doctor).sees_model for row in rows_for(doctor))


def test_a_blind_doctor_gets_the_same_page_whatever_the_hidden_answer_is(web, doctor, colleague):
    doctor.department.reading_mode = ReadingMode.OWN_FIRST
    doctor.department.save()
    closed_case(colleague)
    hidden = closed_case(colleague)
    Study.objects.filter(pk=hidden.pk).update(reading_state="preliminary")
    pages = []
    for answer, chance in (("malignant", 0.97), ("normal", 0.01)):
        Study.objects.filter(pk=hidden.pk).update(outcome=answer, malignant_probability=chance)
        Analysis.objects.filter(image__study=hidden).update(outcome=answer)
        text = web.get("/performance/").content.decode().split("<main")[1]
        pages.append((text, web.get("/performance/rows.csv").content))
    assert pages[0] == pages[1]


def test_nothing_of_a_trials_allocations_is_shown_while_the_department_takes_part(web, doctor, colleague):
    doctor.department.reading_mode = ReadingMode.TRIAL
    doctor.department.save()
    plain = closed_case(colleague, own="benign", own_likelihood=20)
    pages = []
    for arm in ("shown", "hidden"):
        drawn = closed_case(colleague, own="benign", own_likelihood=20, arm=arm)
        text = web.get("/performance/").content.decode().split("<main")[1]
        assert "is taking part in a trial" in text
        pages.append((text, web.get("/performance/rows.csv").content))
        assert str(drawn.pk) not in pages[-1][1].decode()
    assert pages[0] == pages[1]
    doctor.department.reading_mode = ReadingMode.OWN_FIRST
    doctor.department.save()
    doctor.refresh_from_db()
    rows = rows_for(type(doctor).objects.get(pk=doctor.pk))
    assert sorted((row.arm, row.saw_model) for row in rows) == [("", True), ("hidden", False), ("shown", True)]
    assert plain.pk in {row.case for row in rows}


# The last: the analysis had failed at the lock, and succeeded when it was tried again before the signature.
@pytest.mark.parametrize(("answer", "probability"), [("benign", 0.25), ("", None)])
def test_the_answer_is_that_of_the_lock_where_the_model_changed_before_the_signature(doctor, answer, probability):
    at_lock = {"complete": True, "outcome": answer, "malignant_probability": probability}
    study = closed_case(doctor, answer=answer, probability=0.2, own="benign", own_likelihood=20, at_lock=at_lock)
    Study.objects.filter(pk=study.pk).update(outcome="malignant", malignant_probability=0.9)
    row = rows_for(doctor)[0]
    assert (row.model_outcome, row.probability) == (answer, probability)


def test_a_case_that_lost_a_film_after_its_unaided_reading_counts_in_no_figure(doctor):
    study = closed_case(doctor, own="benign", own_likelihood=20)
    assert len(rows_for(doctor)) == 1
    UnaidedReading.objects.filter(study=study).update(voided_at=datetime(2026, 5, 5, tzinfo=UTC))
    assert rows_for(doctor) == []


def test_there_is_no_probability_where_the_lock_kept_no_answer(doctor):
    study = closed_case(doctor, answer="benign", probability=0.2, own="benign", own_likelihood=20, at_lock=None)
    Study.objects.filter(pk=study.pk).update(outcome="malignant", malignant_probability=0.9)
    row = rows_for(doctor)[0]
    assert (row.model_outcome, row.probability) == ("benign", None)


def test_the_number_of_queries_does_not_grow_with_the_cases(doctor, django_assert_max_num_queries):
    for _ in range(8):
        closed_case(doctor, own="benign", own_likelihood=20)
    with django_assert_max_num_queries(5):
        assert len(rows_for(doctor)) == 8


def test_the_export_has_the_rows_behind_the_figures_and_names_nobody(web, site, colleague):
    text = web.get("/performance/rows.csv").content.decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert list(rows[0]) == list(DICTIONARY)
    assert len(rows) == len(site)
    assert Counter(row["truth"] for row in rows) == Counter(c["truth"] for c in site)
    assert {row["reader"] for row in rows} == {"you", "other readers"}
    assert len({row["patient"] for row in rows}) == len({c["patient"].pk for c in site})
    for word in (colleague.email, site[0]["patient"].patient_id, site[0]["patient"].patient_name):
        assert word not in text
    assert AuditEvent.objects.get(action="export_performance").detail == {"cases": len(site)}
    files = [web.get(f"/performance/{name}.csv").content for name in ("rows", "dictionary")]
    assert all(data.startswith(codecs.BOM_UTF8) for data in files)
    told = dict(csv.reader(io.StringIO(files[1].decode("utf-8-sig"))))
    assert {name: told[name] for name in DICTIONARY} == DICTIONARY


def test_a_withheld_answer_has_no_probability_in_the_export(doctor):
    closed_case(doctor, answer="withheld", probability=0.42)
    assert [(row.model_outcome, row.probability, row.model_call) for row in rows_for(doctor)] == [
        ("withheld", None, None)
    ]


@pytest.mark.parametrize(
    ("born", "group"),
    [
        (None, "not stated"),
        (date(2016, 3, 3), "0 to 9"),
        (date(2016, 3, 2), "10 to 19"),
        (date(1966, 3, 3), "40 to 59"),
        (date(1966, 3, 2), "60 and older"),
    ],
)
def test_age_is_in_full_years_at_the_examination(born, group):
    assert age_group(born, date(2026, 3, 2)) == group


def test_every_field_has_words_of_its_own(doctor):
    patient = PatientFactory(department=doctor.department, patient_sex="O")
    for part in ("OTHER", "FEMALE", ""):
        closed_case(doctor, patient=patient, body_part=part)
    assert set(figures.GROUP_WORDS) == {name for _, name in figures.GROUPS}
    with translation.override("de"):
        named = {
            str(table["title"]): [str(row["name"]) for row in table["rows"]]
            for table in figures.groups(rows_for(doctor))
        }
    assert (named["Körperregion"], named["Geschlecht"]) == (["female", "keine Angabe", "other"], ["divers"])


def test_least_is_what_the_page_says():
    assert figures.LEAST == 10
