"""Names and texts in every script on paper: no letter is a box, nothing leaves the page, nothing is turned."""

import io
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from django.conf import settings
from fontTools.ttLib import TTFont
from PIL import Image
from pypdf import PageObject, PdfReader

from analyses.errors import Conflict, Invalid
from analyses.models import Report, Review
from analyses.reading import services as reading
from analyses.reports import pdf, printing
from analyses.reports import services as reports
from analyses.structured_reading.content import Structured
from analyses.tests.factories import StudyFactory, result

# A family name and a given name in each script that films of the project's users carry, and beyond.
NAMES = {
    "Devanagari": "शर्मा^मीरा",
    "Thai": "ใจดี^สมชาย",
    "Korean": "김^철수",
    "Chinese": "王^小明",
    "Chinese, traditional": "陳^龍飛",
    "Japanese": "髙橋^さくら",
    "Katakana": "ヤマダ^タロウ",
    "Arabic": "العلي^محمد",
    "Persian": "پژمان^گیتی",
    "Hebrew": "כהן^שרה",
    "Bengali": "চট্টোপাধ্যায়^অর্ক",
    "Tamil": "கௌரி^ஸ்ரீ",
    "Telugu": "శ్రీనివాస్^రావు",
    "Sinhala": "ශ්‍රී^නිමල්",
    "Burmese": "အောင်^ဆန်း",
    "Khmer": "សុខ^ដារា",
    "Lao": "ພົມມະ^ຄຳ",
    "Georgian": "გელაშვილი^ნინო",
    "Armenian": "Պետրոսյան^Աննա",
    "Ethiopic": "ተስፋዬ^ሃና",
    "Cyrillic": "Їжакевич^Ґалина",
    "Greek": "Παπαδόπουλος^Ελένη",
    "Vietnamese": "Nguyễn^Thị Ánh",
    "Turkish": "Şahin^İbrahim Ğ",
}
PRIVATE = "\ue0a0"  # no font may have it
# As pypdf sees them: 8 pt, and what a capital of the title stands above its line.
HEAD_SIZE, TITLE_HEIGHT = 8 * 4 / 3, 14


@pytest.fixture
def case(department):
    study = StudyFactory(owner=department)
    result("malignant", study=study)
    study.refresh_from_db()
    return study


def page(text: str) -> str:
    return f'<html lang="en"><head><title>t</title></head><body><p>{text}</p><h2>{text}</h2></body></html>'


def pieces_of(drawn: PageObject) -> list[tuple[float, float, str]]:
    """How far from the foot of its page each piece of text stands, in points, its size, and its words."""
    found: list[tuple[float, float, str]] = []

    def visit(text, cm, tm, _font, size):
        found.append((tm[5] * cm[3] + cm[5], size, text))

    drawn.extract_text(visitor_text=visit)
    return found


@pytest.mark.parametrize("script", NAMES)
def test_every_script_is_drawn_with_glyphs_of_its_own(script):
    name = NAMES[script]
    pdf.write_pdf(page(name), identifier=b"x" * 16)
    assert pdf.undrawable(name) == ""


def test_a_letter_that_no_font_has_is_found_among_others():
    with pytest.raises(pdf.MissingGlyphs) as caught:
        pdf.write_pdf(page(f"Müller {PRIVATE} शर्मा \u0378"), identifier=b"x" * 16)
    assert caught.value.letters == "\u0378" + PRIVATE


def test_a_signed_report_with_names_in_every_script_has_no_box(case, doctor):
    case.patient.patient_name = " ".join(NAMES.values()).replace("^", " ")[:200]
    case.patient.save()
    text = "\n".join(f"{script}: {name}" for script, name in NAMES.items())
    given = Structured(recommendation="refer", findings_text=text)
    reading.save_reading(case, user=doctor, reading="malignant", impression=text, structure=given)
    reading.sign(case, doctor)
    data = reports.report_bytes(reports.issue_report(case, doctor))
    keep(data, "every-script")
    text = "".join(one.extract_text() for one in PdfReader(io.BytesIO(data)).pages)
    for word in ("王", "김", "ใจดี", "Nguyễn", "शर्मा"):
        assert word in text, word


def test_a_report_with_a_letter_that_no_font_has_is_refused_without_naming_the_letter(case, doctor):
    case.patient.patient_name = f"BERG^Anna{PRIVATE}"
    case.patient.save()
    with pytest.raises(Conflict) as caught:
        reports.issue_report(case, doctor)
    assert caught.value.code == "letters_missing"
    assert "U+E0A0" in caught.value.message
    assert "BERG" not in caught.value.message
    assert not Report.objects.exists()


@pytest.mark.parametrize("field", ["impression", "findings_text", "recommendation_text"])
def test_a_text_that_cannot_be_printed_is_not_signed(case, doctor, field):
    texts = {field: f"Lesion {PRIVATE}."}
    impression = texts.pop("impression", "")
    given = Structured(recommendation="other", **({"recommendation_text": "See us."} | texts))
    reading.save_reading(case, user=doctor, reading="malignant", impression=impression, structure=given)
    with pytest.raises(Conflict) as caught:
        reading.sign(case, doctor)
    assert caught.value.code == "letters_missing"
    assert PRIVATE in caught.value.message
    assert not Review.objects.get().is_signed


def test_without_the_fonts_a_name_is_refused_and_not_printed_as_boxes(tmp_path):
    """A machine that has the shipped font alone."""
    fonts = tmp_path / "fonts.conf"
    fonts.write_text(f'<?xml version="1.0"?><fontconfig><cachedir>{tmp_path}</cachedir></fontconfig>')
    code = (
        "import sys, django; django.setup(); from analyses.reports import pdf; "
        "assert pdf.undrawable('Müller Ελένη Їжак') == '', 'the shipped font'; "
        "sys.exit(0 if pdf.undrawable('शर्मा') else 'printed as boxes')"
    )
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "bonescan.settings", "FONTCONFIG_FILE": str(fonts)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, cwd=settings.BASE_DIR)


def test_the_letters_that_are_not_looked_up_are_in_the_shipped_font():
    for weight in ("Regular", "Medium", "SemiBold"):
        known = TTFont(pdf.static_root() / "fonts" / f"IBMPlexSans-{weight}.woff2").getBestCmap()
        letters = [chr(point) for point in range(0x20, 0x180) if chr(point).isprintable()]
        assert [letter for letter in letters if ord(letter) not in known] == []
    with pytest.raises(Conflict):
        printing.require_printable(PRIVATE)


def test_machine_and_image_get_the_same_fonts():
    for path in ("scripts/install", "Dockerfile"):
        text = (Path(settings.BASE_DIR) / path).read_text()
        for package in ("fonts-noto-core", "fonts-noto-cjk"):
            assert re.search(rf"^[^#]*\b{package}\b", text, re.MULTILINE), (path, package)


@pytest.mark.parametrize("mark", ["\u202e", "\u2067", "\u061c", "\u200f", "\u202a"])
def test_marks_that_turn_the_order_of_letters_are_refused_in_texts_and_dropped_on_paper(case, doctor, mark):
    for call in (
        lambda: reading.save_reading(case, user=doctor, reading="benign", impression=f"not {mark}malignant"),
        lambda: reading.save_reading(
            case, user=doctor, reading="benign", structure=Structured(findings_text=f"not {mark}malignant")
        ),
        lambda: reading.save_reading(
            case,
            user=doctor,
            reading="benign",
            structure=Structured(recommendation="other", recommendation_text=f"not {mark}malignant"),
        ),
    ):
        with pytest.raises(Invalid):
            call()
    turned = pdf.write_pdf(page(f"not {mark}malignant"), identifier=b"x" * 16)
    assert turned == pdf.write_pdf(page("not malignant"), identifier=b"x" * 16)


LONG_WORD = "https://example.org/" + "1.2.840.113619.2." * 18


@pytest.mark.parametrize("name", ["W" * 164, "山" * 120 + "^太郎", "Anna-Katharina " * 13, "W" * 100 + " " + "i" * 99])
def test_long_names_and_words_stay_on_the_page_and_cover_nothing(case, doctor, department, name):
    case.patient.patient_name = name[:200].strip()
    case.patient.patient_id = "N" * 64
    case.patient.save()
    case.accession_number = "A" * 64
    case.clinical_question = LONG_WORD
    case.referring_physician_name = name[:200].strip()
    case.save()
    department.name = "W" * 120
    department.save()
    for signed in (False, True):
        if signed:
            given = Structured(
                recommendation="other", recommendation_text=LONG_WORD[:500], findings_text=f"{LONG_WORD} {name}"
            )
            reading.save_reading(
                case, user=doctor, reading="malignant", impression=f"Words {LONG_WORD}", structure=given
            )
            reading.sign(case, doctor)
        data = reports.report_bytes(reports.issue_report(case, doctor))
        keep(data, f"long-{name[0]}-{len(name)}-{signed}")
        assert_on_the_page(data)


def assert_on_the_page(data: bytes) -> None:
    """Drawn at 50 dots per inch, the page's margins are white, and the title begins below the running head."""
    drawn = subprocess.run(["pdftoppm", "-r", "50", "-gray", "-"], input=data, check=True, capture_output=True)
    stream, pages = io.BytesIO(drawn.stdout), []
    while stream.tell() < len(drawn.stdout):
        with Image.open(stream) as picture:
            pages.append(np.asarray(picture))
        stream.seek(sum(size.size + len(b"P5\n%d %d\n255\n" % size.shape[::-1]) for size in pages))
    assert len(pages) == len(PdfReader(io.BytesIO(data)).pages)
    margin = int(14 / 25.4 * 50)
    for one in pages:
        assert one[:, :margin].min() > 240
        assert one[:, -margin:].min() > 240
    pieces = pieces_of(PdfReader(io.BytesIO(data)).pages[0])
    title = next(y for y, _size, text in pieces if "Radiograph report" in text)
    # The accession number is the last of the running head, in its own size.
    lowest = min(y for y, size, text in pieces if abs(size - HEAD_SIZE) < 0.1 and set(text.strip()) == {"A"})
    banner = [y for y, _size, text in pieces if "PRELIMINARY" in text]
    assert min([lowest, *banner]) > title + TITLE_HEIGHT


def keep(data: bytes, name: str) -> None:
    """Leave the document for a person to look at, where KEEP_PDF names a folder."""
    if folder := os.environ.get("KEEP_PDF"):
        (Path(folder) / f"{name}.pdf").write_bytes(data)
