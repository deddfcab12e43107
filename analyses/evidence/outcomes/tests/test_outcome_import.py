"""Outcomes by CSV: an answer to every line, all of them stored or none, and nothing learnt about other departments."""

import codecs
from datetime import date
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from accounts.models import AuditEvent
from analyses.errors import Invalid
from analyses.evidence.outcomes import csv_file as outcome_csv
from analyses.evidence.outcomes.csv_import import UNKNOWN, import_outcomes
from analyses.evidence.outcomes.tests.test_outcomes import signed_case
from analyses.models import CaseOutcome
from analyses.tests.factories import PatientFactory, StudyFactory

pytestmark = pytest.mark.django_db
HEAD = "case,accession_number,patient_id,study_date,method,date,source,truth,subtype,grade,stage"


def file(*lines: str, head: str = HEAD) -> bytes:
    return "\r\n".join([head, *lines, ""]).encode()


def line(
    case="", accession="", record="", day="", *, method="pathology", on="2026-04-11", truth="benign", **more
) -> str:
    cells = (case, accession, record, day, method, on, more.get("source", ""), truth, more.get("subtype", ""))
    return ",".join([str(cell) for cell in cells] + [more.get("grade", ""), more.get("stage", "")])


def answers(data: bytes, doctor, **options) -> list[str]:
    return [str(row.answer) for row in import_outcomes(data, user=doctor, **options).rows]


@pytest.fixture
def study(doctor):
    return signed_case(doctor, accession_number="ACC-1", study_date=date(2026, 3, 2))


def test_a_case_is_found_by_its_identifier_its_accession_number_or_record_and_date(doctor):
    one, two, three, four = (signed_case(doctor) for _ in range(4))
    data = file(
        line(one.pk),
        line(accession=two.accession_number),
        line(record=three.patient.patient_id, day="2026-03-02"),
        line(
            record=four.patient.patient_id, day="02.03.2026", on="11.4.2026", truth="Malignant", grade="g3", stage="iib"
        ),
    )
    result = import_outcomes(data, user=doctor)
    assert (result.stored, result.count("accepted")) == (True, 4)
    kept = {row.study_id: row for row in CaseOutcome.objects.all()}
    assert set(kept) == {one.pk, two.pk, three.pk, four.pk}
    last = kept[four.pk]
    assert (last.truth, last.established_on, last.tumour_grade, last.tumour_stage) == (
        *("malignant", date(2026, 4, 11)),
        *("G3", "IIB"),
    )


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("separator", [",", ";"])
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_both_separators_both_line_ends_and_the_mark_of_utf8_are_read(doctor, study, mark, separator, ends):
    rows = [HEAD, line(accession="ACC-1", source="Pathologie Süd"), ""]
    data = (mark + ends.join(row.replace(",", separator) for row in rows)).encode()
    assert answers(data, doctor) == ["accepted"]
    assert CaseOutcome.objects.get().source == "Pathologie Süd"


def test_one_bad_line_and_nothing_is_stored(doctor, study):
    result = import_outcomes(file(line(accession="ACC-1"), line(accession="NO-SUCH")), user=doctor)
    assert [(row.line.number, row.answer) for row in result.rows] == [(2, "accepted"), (3, "unknown")]
    assert not result.stored
    assert not CaseOutcome.objects.exists()
    event = AuditEvent.objects.get(action="import_outcomes")
    assert event.detail == {"stored": False, "lines": 2, "accepted": 1, "unknown": 1}


def test_the_same_file_again_changes_nothing(doctor, study):
    data = file(line(accession="ACC-1"), line(accession="ACC-1"))
    assert answers(data, doctor) == ["accepted", "unchanged"]
    assert answers(data, doctor) == ["unchanged", "unchanged"]
    assert CaseOutcome.objects.count() == 1


def test_a_case_of_another_department_reads_exactly_as_one_that_does_not_exist(doctor, second_doctor):
    foreign = signed_case(second_doctor, accession_number="FOREIGN-1")
    given = (
        line(foreign.pk),
        line(uuid4()),
        line(accession="FOREIGN-1"),
        line(accession="NO-SUCH"),
        line(record=foreign.patient.patient_id, day="2026-03-02"),
        line(record="NO-SUCH", day="2026-03-02"),
    )
    result = import_outcomes(file(*given), user=doctor)
    assert {(str(row.answer), row.message, row.study) for row in result.rows} == {("unknown", UNKNOWN, None)}


def test_a_record_number_of_several_cases_is_ambiguous_until_the_date_tells_them_apart(doctor):
    patient = PatientFactory(department=doctor.department, patient_id="R-7")
    signed_case(doctor, patient=patient, study_date=date(2026, 1, 1))
    signed_case(doctor, patient=patient, study_date=date(2026, 2, 1))
    assert answers(file(line(record="R-7")), doctor) == ["ambiguous"]
    assert answers(file(line(record="R-7", day="2026-05-05")), doctor) == ["unknown"]
    assert answers(file(line(record="R-7", day="2026-02-01")), doctor) == ["accepted"]
    signed_case(doctor, patient=patient, study_date=date(2026, 2, 1))
    assert answers(file(line(record="R-7", day="2026-02-01")), doctor) == ["ambiguous"]


@pytest.mark.parametrize(
    "rows",
    [
        (line(accession="ACC-1"), line(accession="ACC-1", truth="normal")),
        (line(accession="ACC-1", grade="G2"),),
        (line(accession="ACC-1", record="OTHER-RECORD"),),
        (line(accession="ACC-1", day="2026-03-03"),),
    ],
    ids=["two lines of one case", "grade of a benign tumour", "numbers of two cases", "date of another day"],
)
def test_what_contradicts_itself_or_the_record_is_refused(doctor, study, rows):
    signed_case(doctor, patient=PatientFactory(department=doctor.department, patient_id="OTHER-RECORD"))
    assert set(answers(file(*rows), doctor)) == {"contradictory"}
    assert not CaseOutcome.objects.exists()


def test_an_outcome_that_is_there_is_corrected_only_where_that_was_asked_for(doctor, study):
    import_outcomes(file(line(accession="ACC-1")), user=doctor)
    other = file(line(accession="ACC-1", truth="normal"))
    assert answers(other, doctor) == ["contradictory"]
    assert answers(other, doctor, correct=True) == ["accepted"]
    assert list(CaseOutcome.objects.values_list("version", "truth", "is_current")) == [
        (2, "normal", True),
        (1, "benign", False),
    ]


def test_a_case_that_is_not_signed_is_named_as_such(doctor):
    StudyFactory(owner=doctor.department, accession_number="OPEN-1")
    assert answers(file(line(accession="OPEN-1")), doctor) == ["not_signed"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("first", ["", "sep={}\r\n", "SEP={}\n", '"sep={}"\r\n', "sep={}{}{}\r\n"])
def test_a_table_is_read_as_spreadsheet_programs_write_it(doctor, study, encoding, separator, first):
    mark = "\ufeff" if encoding.startswith("utf-16") else ""
    rows = [HEAD, line(accession="ACC-1", source="Pathologie Süd").rstrip(","), ",,", ""]
    text = mark + first.replace("{}", separator) + "\r\n".join(row.replace(",", separator) for row in rows)
    assert answers(text.encode(encoding), doctor) == ["accepted"]
    assert CaseOutcome.objects.get().source == "Pathologie Süd"


def test_a_line_below_a_named_separator_keeps_the_number_that_an_editor_shows(doctor, study):
    data = b"sep=,\r\n" + file(line(accession="ACC-1"), line(accession="NO"))
    assert [row.line.number for row in import_outcomes(data, user=doctor).rows] == [3, 4]


@pytest.mark.parametrize("kept", range(5, 8))
def test_a_short_row_lacks_what_its_missing_cells_would_say(doctor, study, kept):
    cells = line(accession="ACC-1").split(",")[:kept]
    assert answers(file(",".join(cells)), doctor) == ["malformed"]
    assert not CaseOutcome.objects.exists()


@pytest.mark.parametrize(
    "row",
    [
        line("not-a-uuid"),
        line(),
        line(accession="ACC-1", on="31.02.2026"),
        line(accession="ACC-1", on="04/11/2026"),
        line(accession="ACC-1", on=""),
        line(accession="ACC-1", day="yesterday"),
        line(accession="ACC-1", truth="osteosarcoma"),
        line(accession="ACC-1", method=""),
        line(accession="ACC-1", source="=HYPERLINK(1)"),
        line(accession="ACC-1", source="'=HYPERLINK(1)"),
        line(accession="ACC-1", subtype="@cmd"),
        "ACC-1,pathology",
        line(accession="ACC-1") + ",surplus",
        line(accession="A" * 65),
    ],
)
def test_a_malformed_line_is_answered_and_stores_nothing(doctor, study, row):
    result = import_outcomes(file(row, line(accession="ACC-1")), user=doctor)
    assert (result.rows[0].answer, bool(result.rows[0].message)) == ("malformed", True)
    assert not CaseOutcome.objects.exists()


def test_the_apostrophe_that_our_export_puts_before_a_formula_is_no_part_of_a_number(doctor):
    case = signed_case(doctor, accession_number="-17")
    assert answers(file(line(accession="'-17")), doctor) == ["accepted"]
    assert CaseOutcome.objects.get().study == case


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "Missing columns"),
        (file(), "no line below"),
        (file("", ",,,,,,,,,,"), "no line below"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "not UTF-8"),
        (b"PK\x03\x04\x14\x00\x00\x00", "not a text file"),
        (HEAD.encode("utf-16"), "no line below"),
        (HEAD.encode("utf-16")[:-1], "not UTF-8"),
        (HEAD.encode("utf-16-le"), "not a text file"),
        (b"sep=;\r\n", "Missing columns"),
        (file(line(accession="A")).replace(b"A", "Ä".encode("latin-1"), 1), "not UTF-8"),
        (file("x", head="case,truth"), "Missing columns: method, date"),
        (file("x", head="method,date,truth"), "one of case"),
        (file("x", head=HEAD + ",name"), "Unknown columns: name"),
        (file("x", head=HEAD + ",case"), "twice"),
        (file('"never closed'), "quotation mark"),
        (b"x" * (outcome_csv.MAX_BYTES + 1), "larger than 2 MB"),
    ],
)
def test_rubbish_is_refused_as_a_whole_with_what_to_do(doctor, data, says):
    with pytest.raises(Invalid, match=says) as refused:
        import_outcomes(data, user=doctor)
    assert refused.value.code == "bad_file"


def test_a_file_of_too_many_lines_is_refused(doctor, monkeypatch):
    monkeypatch.setattr(outcome_csv, "MAX_ROWS", 2)
    with pytest.raises(Invalid, match="more than 2 lines"):
        import_outcomes(file(*[line(accession="A")] * 3), user=doctor)


def test_the_number_of_queries_does_not_grow_with_the_lines(doctor, django_assert_max_num_queries):
    cases = [signed_case(doctor) for _ in range(25)]
    rows = [line(case.pk) for case in cases[:4]] + [line(accession=case.accession_number) for case in cases[4:]]
    with django_assert_max_num_queries(14):
        import_outcomes(file(*rows, line(accession="NO-SUCH")), user=doctor)
    with django_assert_max_num_queries(14):
        assert import_outcomes(file(*rows), user=doctor).count("accepted") == 25
    assert AuditEvent.objects.filter(action="enter_outcome").count() == 25
    with django_assert_max_num_queries(14):
        corrected = [row.replace("benign", "normal") for row in rows]
        assert import_outcomes(file(*corrected), user=doctor, correct=True).stored


# --- the page ----------------------------------------------------------------------------------------------------
@pytest.fixture
def web(client, doctor):
    client.force_login(doctor)
    return client


def send(web, data: bytes, **more):
    return web.post("/outcomes/import/", {"file": SimpleUploadedFile("outcomes.csv", data)} | more)


def test_the_page_answers_line_by_line(web, study):
    answer = send(web, file(line(accession="ACC-1"), line(accession="<b>NO</b>")))
    text = answer.content.decode()
    assert answer.status_code == 422
    for words in ("Nothing was stored", "1 of 2 lines has an error", "unknown case", "&lt;b&gt;NO&lt;/b&gt;"):
        assert words in text
    answer = send(web, file(line(accession="ACC-1")))
    assert (answer.status_code, "1 stored, 0 already present." in answer.content.decode()) == (200, True)


@pytest.mark.parametrize("data", [b"", b"\x00\xff" * 100, file()])
def test_the_page_refuses_rubbish_with_its_sentence(web, data):
    answer = send(web, data)
    assert answer.status_code == 400
    assert "errorlist" in answer.content.decode()


def test_the_template_has_the_columns_that_are_read(web, doctor, study):
    template = web.get("/outcomes/template.csv")
    assert template.content.startswith(codecs.BOM_UTF8)
    assert template.content.decode("utf-8-sig").strip().split(",") == list(outcome_csv.COLUMNS)
    row = line(accession="ACC-1")
    assert send(web, template.content + row.encode()).status_code == 200
    text = web.get("/outcomes/import/").content.decode()
    assert all(f'<th scope="row">{name}</th>' in text for name in outcome_csv.COLUMNS)
