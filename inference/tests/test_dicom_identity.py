"""What a header says of somebody passes the rules of typed values; what it may not mean is left out, with a remark."""

import datetime
import warnings

import numpy as np
import pytest
from pydicom.dataset import Dataset

from inference.imaging.decode import decode_bytes
from inference.imaging.limits import DECODE_WARNINGS
from inference.tests.made_dicom import dicom

PIXELS = np.arange(64 * 48, dtype="u2").reshape(48, 64)
WINDOW = {"WindowCenter": 1500, "WindowWidth": 3000}
MARK = "Q" * 64


def read(data: bytes) -> tuple[dict, list[str]]:
    meta = decode_bytes(data).meta
    assert set(meta["warnings"]) <= set(DECODE_WARNINGS)
    return meta["identity"], meta["warnings"]


def said(**elements) -> tuple[dict, list[str]]:
    return read(dicom(PIXELS, **WINDOW, **elements))


def with_bytes(keyword: str, raw: bytes, charset=None) -> tuple[dict, list[str]]:
    """A header whose element holds exactly these bytes, padded with blanks."""
    named = {"SpecificCharacterSet": charset} if charset else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of sets that do not exist
        data = dicom(PIXELS, **WINDOW, **named, **{keyword: MARK})
    return read(data.replace(MARK.encode(), raw.ljust(64)))


def test_a_name_keeps_its_groups_and_components():
    name = "Yamada^Tarou^^Dr=山田^太郎=やまだ^たろう"
    identity, remarks = said(
        SpecificCharacterSet="ISO_IR 192", PatientName=f"{name}^^^", ReferringPhysicianName="Roe^^"
    )
    assert (identity["patient_name"], identity["referring_physician_name"], remarks) == (name, "Roe", [])


def test_groups_that_do_not_fit_are_left_out_whole():
    groups = ["A" * 90, "山" * 90, "や" * 90]
    identity, _ = said(SpecificCharacterSet="ISO_IR 192", PatientName="=".join(groups))
    assert identity["patient_name"] == "=".join(groups[:2])


LIKELY = [
    ("Müller^Jörg", "latin-1", "ISO_IR 100"),
    ("Ó hÉigeartaigh^Éanna", "latin-1", "ISO_IR 100"),
    ("Þórðardóttir^Ásta", "latin-1", "ISO_IR 100"),
    ("Łuczak^Świętosława", "iso8859_2", "ISO_IR 101"),
    ("Титов^Пётр", "iso8859_5", "ISO_IR 144"),
    ("ТАТА", "iso8859_5", "ISO_IR 144"),
    ("Şükrü^Öztürk", "iso8859_9", "ISO_IR 148"),
    ("Παπαδάκης^Γιώργος", "iso8859_7", "ISO_IR 126"),
    ("สมชาย^ใจดี", "iso8859_11", "ISO_IR 166"),
    ("Wang^XiaoDong=王^小东", "gb18030", "GB18030"),
    ("Đặng^Thị Hương", "utf-8", "ISO_IR 192"),
    ("Mueller^Joerg", "ascii", None),
]


@pytest.mark.parametrize(("name", "encoding", "charset"), LIKELY)
def test_a_name_in_the_set_that_the_file_states_is_read(name, encoding, charset):
    identity, remarks = with_bytes("PatientName", name.encode(encoding), charset)
    assert (identity["patient_name"], remarks) == (name, [])


@pytest.mark.parametrize("charset", [None, "ISO_IR 6", "ISO_IR 100", "ISO_IR 101", "ISO_IR 144", "GB18030", "ISO_IR 9"])
@pytest.mark.parametrize("name", ["Müller^Jörg", "MÜLLER^JÖRG", "Тихонов^Пётр"])
def test_utf8_under_another_name_is_read_as_such_and_told_of(name, charset):
    identity, remarks = with_bytes("PatientName", name.encode(), charset)
    assert (identity["patient_name"], remarks) == (name, ["charset_corrected"])


def test_utf8_of_thai_is_thai_under_its_own_set_too_and_is_still_recognised():
    identity, remarks = with_bytes("PatientName", "สมชาย^ใจดี".encode(), "ISO_IR 166")
    assert (identity["patient_name"], remarks) == ("สมชาย^ใจดี", ["charset_corrected"])


DOUBTFUL = [
    ("Müller", "latin-1", None),
    ("Müller", "cp437", "ISO_IR 100"),
    ("Иванов", "iso8859_5", "ISO 2022 IR 6\\IS"),
    ("Титов", "iso8859_5", "ISO_IR 100"),
    ("Иванов", "koi8-r", "ISO_IR 144"),
    ("Παπας", "iso8859_7", "ISO_IR 100"),
    ("山田^太郎", "shift_jis", "ISO_IR 100"),
    ("김^민수", "euc_kr", "ISO_IR 100"),
    ("Łukasz", "iso8859_2", "ISO_IR 100"),
]


@pytest.mark.parametrize(("name", "encoding", "charset"), DOUBTFUL)
@pytest.mark.parametrize("keyword", ["PatientName", "PatientID"])
def test_unlikely_letters_are_left_to_a_person(keyword, name, encoding, charset):
    identity, remarks = with_bytes(keyword, name.encode(encoding), charset)
    assert identity["patient_name" if keyword == "PatientName" else "patient_id"] == ""
    assert remarks == ["charset_doubtful"]


def test_few_bytes_that_are_letters_both_ways_are_left_to_a_person():
    raw = "\u0442\u0410".encode()
    assert raw.decode("gb18030").isalpha()
    assert with_bytes("PatientName", raw, "GB18030")[1] == ["charset_doubtful"]


def test_bytes_that_the_set_does_not_have_are_left_out():
    identity, remarks = with_bytes("PatientName", "Müller".encode("latin-1"), "ISO_IR 192")
    assert (identity["patient_name"], remarks) == ("", ["charset_undecodable"])


def test_code_extensions_of_japan_and_korea_are_read():
    japan = b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B"
    identity, remarks = with_bytes("PatientName", japan, "\\ISO 2022 IR 87")
    assert (identity["patient_name"], remarks) == ("Yamada^Tarou=山田^太郎=やまだ^たろう", [])
    identity, remarks = with_bytes("PatientName", japan)
    assert (identity["patient_name"], remarks) == ("", ["charset_undecodable"])


@pytest.mark.parametrize(
    ("raw", "number", "remarks"),
    [
        (b"0815\\1", "0815\\1", ["several_numbers"]),
        (b"  0815 \x00", "0815", []),
        (b"08\x0015", "", ["number_unreadable"]),
        (b"08\x1f15", "", ["number_unreadable"]),
        ("08\u00ad15".encode("latin-1"), "", ["number_unreadable"]),
        ("Ä 15".encode("latin-1"), "Ä 15", []),
    ],
)
def test_a_number_is_whole_or_not_there(raw, number, remarks):
    identity, found = with_bytes("PatientID", raw, "ISO_IR 100")
    assert (identity["patient_id"], found) == (number, remarks)


def test_a_number_longer_than_the_record_takes_is_not_cut():
    identity, remarks = said(PatientID="1" * 65)
    assert (identity["patient_id"], remarks) == ("", ["number_unreadable"])


@pytest.mark.parametrize("raw", [b"Do\x01e", "D\ufffde".encode(), "D\ue000e".encode()])
def test_a_name_with_control_or_replacement_characters_is_left_out(raw):
    identity, remarks = with_bytes("PatientName", raw, "ISO_IR 192")
    assert identity["patient_name"] == ""
    assert remarks in (["name_unreadable"], ["charset_undecodable"], ["charset_doubtful"])


def test_letters_that_show_nothing_are_no_part_of_a_name():
    identity, remarks = with_bytes("PatientName", "\u200fDo\u00ade^Ja\u3164ne".encode(), "ISO_IR 192")
    assert (identity["patient_name"], remarks) == ("Doe^Jane", [])


FUTURE = (datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=3)).strftime("%Y%m%d")


@pytest.mark.parametrize(
    ("born", "examined", "kept", "remarks"),
    [
        ("19800102", "20240229", ("1980-01-02", "2024-02-29"), []),
        ("20240229", "20240229", ("2024-02-29", "2024-02-29"), []),
        (FUTURE, "20240229", ("", "2024-02-29"), ["birth_date_implausible"]),
        ("18491231", "20240229", ("", "2024-02-29"), ["birth_date_implausible"]),
        ("18500101", "", ("1850-01-01", ""), []),
        ("19800102", FUTURE, ("1980-01-02", ""), ["study_date_implausible"]),
        ("20240301", "20240229", ("", ""), ["birth_after_examination"]),
    ],
)
def test_dates_that_cannot_be_true_are_left_out(born, examined, kept, remarks):
    identity, found = said(PatientBirthDate=born, StudyDate=examined)
    assert ((identity["patient_birth_date"], identity["study_date"]), found) == (kept, remarks)


@pytest.mark.parametrize(("word", "code"), [("M", "M"), ("female", "F"), ("O ", "O"), ("", "")])
def test_a_sex_in_dicoms_or_whole_words_is_read(word, code):
    identity, remarks = said(PatientSex=word)
    assert (identity["patient_sex"], remarks) == (code, [])


@pytest.mark.parametrize("word", ["W", "X", "1", "MF", "UNKNOWN"])
def test_another_word_for_a_sex_is_told_of(word):
    assert said(PatientSex=word)[1] == ["sex_unreadable"]


def coded(value: str, meaning: str, scheme: str = "SCT") -> list[Dataset]:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return [item]


@pytest.mark.parametrize(
    "elements",
    [
        {"PatientSpeciesDescription": "Canine"},
        {"PatientSpeciesCodeSequence": coded("448771007", "Canis lupus subspecies familiaris")},
        {"PatientBreedDescription": "Beagle"},
        {"PatientBreedCodeSequence": coded("132449009", "Beagle")},
        {"PatientSexNeutered": "ALTERED"},
        {"ResponsiblePerson": "Doe^Jane", "ResponsiblePersonRole": "OWNER"},
        {"PatientSpeciesDescription": "Katze", "PatientSex": "F"},
    ],
)
def test_an_animal_is_told_of(elements):
    assert said(**elements)[1] == ["not_human"]


@pytest.mark.parametrize(
    "elements",
    [
        {},
        {"PatientSpeciesDescription": "Homo sapiens"},
        {"PatientSpeciesDescription": "HUMAN", "PatientBreedDescription": "n/a"},
        {"PatientSpeciesCodeSequence": coded("337915000", "Homo sapiens")},
        {"PatientSpeciesCodeSequence": coded("L-85B00", "homo sapiens", "SRT")},
        {"PatientSpeciesDescription": "", "PatientBreedDescription": "", "PatientSexNeutered": ""},
        {"ResponsiblePerson": "Doe^Jane", "ResponsiblePersonRole": "PARENT"},
    ],
)
def test_people_are_no_animals(elements):
    assert said(**elements)[1] == []


def test_a_species_that_is_no_sequence_hides_no_film():
    data = dicom(PIXELS, **WINDOW, PatientSpeciesCodeSequence=coded("1", "x"))
    identity, _ = read(data.replace(b"\x10\x00\x02\x22SQ", b"\x10\x00\x02\x22OB"))
    assert identity["patient_id"] == "0001"


def region(*codes: str) -> list[Dataset]:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "72696002", "SCT", "Knee"
    item.AnatomicRegionModifierSequence = [coded(code, "side")[0] for code in codes]
    return [item]


@pytest.mark.parametrize(
    ("elements", "side"),
    [
        ({"ImageLaterality": "L", "Laterality": "L"}, "L"),
        ({"Laterality": "R"}, "R"),
        ({"ImageLaterality": "L", "Laterality": "B"}, "L"),
        ({"AnatomicRegionSequence": region("7771000")}, "L"),
        ({"AnatomicRegionSequence": region("G-A100"), "Laterality": "R"}, "R"),
        ({"AnatomicRegionSequence": region("7771000", "24028007")}, ""),
        ({"AnatomicRegionSequence": region()}, ""),
    ],
)
def test_the_side_is_read_wherever_the_file_says_it(elements, side):
    identity, remarks = said(**elements)
    assert (identity["laterality"], remarks) == (side, [])


@pytest.mark.parametrize(
    "elements",
    [
        {"ImageLaterality": "L", "Laterality": "R"},
        {"Laterality": "L", "AnatomicRegionSequence": region("24028007")},
        {"ImageLaterality": "U", "Laterality": "R"},
    ],
)
def test_a_file_that_says_two_sides_is_believed_in_neither(elements):
    identity, remarks = said(**elements)
    assert (identity["laterality"], remarks) == ("", ["laterality_contradicts"])
