"""English and German: a complete catalogue, and who reads what in which language."""

import ast
import gettext
import io
import re
from collections.abc import Iterable
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from django.utils import translation
from pypdf import PdfReader

from accounts.models import AuditEvent, Language
from analyses.reading import services as reading
from analyses.reports import services as reports
from analyses.structured_reading.content import Structured
from analyses.structured_reading.findings import Findings
from analyses.tests.factories import StudyFactory, result

CATALOGUE = Path(settings.BASE_DIR) / "locale" / "de" / "LC_MESSAGES"
MARKS = {"_", "gettext", "gettext_lazy"}
WITH_CONTEXT = {"pgettext", "pgettext_lazy"}
STRING = r'"((?:[^"\\]|\\.)*)"'
PROGRAMS = [path for app in ("accounts", "analyses", "bonescan") for path in Path(settings.BASE_DIR, app).rglob("*.py")]
TEMPLATES = list(Path(settings.BASE_DIR, "templates").rglob("*.*"))
# Names, units and method names, which are the same in every language; and classes that a block puts together.
NAMES = {"BoneScan", "Bone-RADS", "px", "sha256", "SHA-256", "PSI", "API", "AUC", "Obuchowski-Rockette"}
REFUSALS = {"Refused", "ServiceError", "Invalid", "Conflict", "Unprocessable", "StorageFull"}
# Folders whose refusals reach programs, operators at a terminal or nobody; they stay English.
OTHER_READERS = {"api", "management", "tests"}
# (file, code) of the other refusals that no page shows, with the reason.
FOR_PROGRAMS = {
    ("analyses/intake/services.py", "idempotency_key_reused"): "only requests to the API have an Idempotency-Key",
    ("analyses/pipeline/reanalysis.py", "case_signed"): "only the management command reanalyse asks again",
}
CLASSES = re.compile(r"\{% block (page|plain)_class %\}.*?\{% endblock %\}")


def entries() -> dict[str, list[str]]:
    """The .po file: msgid, after its context if it has one, -> its translations (two where there is a plural)."""
    found: dict[str, list[str]] = {}
    for block in (CATALOGUE / "django.po").read_text().split("\n\n"):
        texts: dict[str, str] = {}
        name = ""
        for line in block.splitlines():
            if match := re.match(r"(msgctxt|msgid|msgid_plural|msgstr(?:\[\d\])?) (\".*\")$", line):
                name = match[1]
                texts[name] = ast.literal_eval(match[2])
            elif line.startswith('"'):
                texts[name] += ast.literal_eval(line)
        if texts.get("msgid"):
            key = "\4".join(texts[name] for name in ("msgctxt", "msgid") if name in texts)
            found[key] = [text for name, text in texts.items() if name.startswith("msgstr")]
    return found


def marked() -> set[str]:
    """Every text that code or a template marks for translation."""
    found = set()
    for path in PROGRAMS:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute) and node.args:
                called = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
                texts = node.args[: 2 if called in WITH_CONTEXT else 1]
                said = [text.value for text in texts if isinstance(text, ast.Constant) and isinstance(text.value, str)]
                if called in MARKS | WITH_CONTEXT and len(said) == len(texts):
                    found.add("\4".join(said))
    for path in TEMPLATES:
        for text, context in re.findall(r'\{% (?:translate|trans) "([^"]*)"(?: context "([^"]*)")?', path.read_text()):
            found.add(f"{context}\4{text}" if context else text)
        found |= set(re.findall(r"\{% (?:translate|trans) '([^']*)'", path.read_text()))
        found |= set(re.findall(r'\|\w+:_\("([^"]*)"\)', path.read_text()))
    return found


def test_every_marked_text_is_translated():
    known = entries()
    assert len(known) > 500
    assert {text for text in marked() if not known.get(text) or not all(known[text])} == set()


def speaks_english_only(message: ast.expr) -> bool:
    """Whether this is a literal or an f-string with words of its own, whatever is then put into it."""
    if isinstance(message, ast.BinOp):
        return speaks_english_only(message.left) or speaks_english_only(message.right)
    if isinstance(message, ast.Call) and isinstance(message.func, ast.Attribute):  # "…".format(…)
        return speaks_english_only(message.func.value)
    if isinstance(message, ast.IfExp):
        return speaks_english_only(message.body) or speaks_english_only(message.orelse)
    pieces = message.values if isinstance(message, ast.JoinedStr) else [message]
    texts = [piece.value for piece in pieces if isinstance(piece, ast.Constant) and isinstance(piece.value, str)]
    return any(re.search(r"[A-Za-z]{2}", text) for text in texts)


def english_refusals(program: str) -> set[str]:
    """The codes of the refusals whose message is not marked for translation, given as it is or by way of a variable."""
    tree = ast.parse(program)
    found = set()
    for scope in ast.walk(tree):
        if isinstance(scope, ast.Module | ast.FunctionDef):
            given = assigned(scope.body if scope is tree else ast.walk(scope))
            for node in ast.walk(scope):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in REFUSALS:
                    code, message = [*node.args, *(word.value for word in node.keywords)][:2]
                    message = given.get(message.id, message) if isinstance(message, ast.Name) else message
                    if speaks_english_only(message):
                        found.add(ast.unparse(code).strip("'"))
    return found


def assigned(nodes: Iterable[ast.AST]) -> dict[str, ast.expr]:
    """What is given to each variable, at last."""
    given = [node for node in nodes if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)]
    return {node.targets[0].id: node.value for node in given}  # type: ignore[attr-defined]


def test_every_refusal_can_be_translated():
    base = Path(settings.BASE_DIR)
    found = set()
    for path in PROGRAMS:
        place = path.relative_to(base)
        if place.parts[0] != "bonescan" and not OTHER_READERS & set(place.parts):
            found |= {(str(place), code) for code in english_refusals(path.read_text())}
    assert found == set(FOR_PROGRAMS)


@pytest.mark.parametrize(
    ("message", "english"),
    [
        ('"Not so."', True),
        ('f"Not {so}."', True),
        ('"Not %s." % so', True),
        ('"Not {}.".format(so)', True),
        ('_("So.") if so else "Not so."', True),
        ("why", True),
        ('_("Not so.")', False),
        ('_("Not %(so)s.") % {"so": so}', False),
        ('f"{words} {advice}"', False),
        ("str(AWAY)", False),
    ],
)
def test_the_search_for_untranslated_refusals_finds_them(message, english):
    program = f'def refuse(so, words, advice):\n    why = "Not so."\n    raise Conflict("no", {message}, fields={{}})\n'
    assert english_refusals(program) == ({"no"} if english else set())


def words_outside_translation(text: str) -> set[str]:
    """What a template says in one language only: its text but for tags, variables and what is translated."""
    text = CLASSES.sub("", re.sub(r"\{#.*?#\}|\{% comment.*?endcomment %\}", "", text, flags=re.DOTALL))
    text = re.sub(r"\{% blocktrans.*?endblocktrans(late)? %\}", "", text, flags=re.DOTALL)
    text = re.sub(r"\{%.*?%\}|\{\{.*?\}\}", "\n", text, flags=re.DOTALL)
    text = re.sub(r"<(script|style|code|kbd)\b.*?</\1>", "", text, flags=re.DOTALL)
    text += "\n".join(["", *re.findall(r'\b(?:aria-label|title|placeholder|alt)="([^"]*)"', text)])
    pieces = re.sub(r"<[^>]*>", "\n", text, flags=re.DOTALL).split("\n")
    words = {re.sub(r"&\w+;", " ", piece).strip(" ,.;:·()\t") for piece in pieces}
    return {word for word in words if re.search(r"[A-Za-z]{2}", word)} - NAMES


def test_no_template_says_a_word_that_cannot_be_translated():
    said = {path.name: words_outside_translation(path.read_text()) for path in TEMPLATES}
    assert {name: words for name, words in said.items() if words} == {}


def test_the_search_for_untranslated_words_finds_them():
    text = '<p title="Not this">One {% translate "two" %}</p><b>{{ three }} px</b>{# four #}'
    assert words_outside_translation(text) == {"Not this", "One"}


def test_no_entry_is_empty_or_doubtful():
    text = (CATALOGUE / "django.po").read_text()
    assert "fuzzy" not in text
    assert [msgid for msgid, translated in entries().items() if not translated or not all(translated)] == []


def test_translations_keep_the_places_for_values():
    holes = re.compile(r"%\(\w+\)s|\{\w+\}")
    for msgid, translated in entries().items():
        for text in translated:
            assert set(holes.findall(text)) == set(holes.findall(msgid)), msgid


def test_the_compiled_catalogue_is_that_of_the_source():
    with (CATALOGUE / "django.mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    for msgid, translated in entries().items():
        if len(translated) == 1:
            assert compiled.gettext(msgid) == translated[0]
    assert {key if isinstance(key, str) else key[0] for key in compiled._catalog if key} == set(entries())  # type: ignore[attr-defined]


@pytest.fixture
def case(department):
    study = StudyFactory(owner=department)
    result("malignant", study=study)
    study.refresh_from_db()
    return study


@pytest.fixture
def web(doctor) -> Client:
    client = Client()
    client.force_login(doctor)
    return client


def test_a_user_chooses_a_language_and_dates_and_numbers_follow(web, case, doctor):
    assert web.post("/account/", {"name": "", "language": "de"}).status_code == 302
    doctor.refresh_from_db()
    assert doctor.language == Language.GERMAN
    assert AuditEvent.objects.filter(action="language_changed", user=doctor).count() == 1
    text = web.get(f"/cases/{case.pk}/").content.decode()
    assert '<html lang="de"' in text
    for said in (
        "Das Modell sagt: maligne.",
        "Ihr Befund",
        "Periostreaktion",
        "Kortikalisdestruktion",
        "Vorstellung vor Biopsie",
        "02.03.2026",
    ):
        assert said in text
    assert "0,80</text>" in text
    # Positions in drawings are no prose: a comma would break them.
    assert not re.search(r'(?:\bx|y|x1|y1|width|height|points)="[^"]*\d,\d+%', text)
    assert web.post("/account/", {"name": "", "language": "xx"}).status_code == 200


def test_whoever_chose_none_reads_in_the_language_of_the_department(web, case, department):
    assert "Your reading" in web.get(f"/cases/{case.pk}/").content.decode()
    department.language = Language.GERMAN
    department.save()
    assert "Ihr Befund" in web.get(f"/cases/{case.pk}/").content.decode()


def test_the_sign_in_page_follows_the_browser(db):
    assert (
        "Anmelden" in Client().get("/accounts/login/", headers={"Accept-Language": "de-AT,en;q=0.5"}).content.decode()
    )
    assert "Sign in" in Client().get("/accounts/login/", headers={"Accept-Language": "fr"}).content.decode()


def test_one_request_leaves_its_language_to_no_other(web, doctor, case):
    doctor.language = Language.GERMAN
    doctor.save()
    web.get(f"/cases/{case.pk}/")
    assert translation.get_language() == settings.LANGUAGE_CODE


def test_the_api_answers_alike_whatever_its_user_reads(case, doctor):
    web = Client()
    web.force_login(doctor)
    before = web.get("/api/v1/analyses/").json()
    doctor.language = Language.GERMAN
    doctor.save()
    assert web.get("/api/v1/analyses/").json() == before


def test_an_administrator_sets_the_language_of_a_departments_reports(administrator, department, case, doctor):
    web = Client()
    web.force_login(administrator)
    sent = {"name": department.name, "operating_point": "balanced", "language": "de"}
    assert web.post(f"/admin/departments/{department.pk}/", sent).status_code == 302
    department.refresh_from_db()
    assert department.language == Language.GERMAN
    case.refresh_from_db()
    findings = Findings(number="one", bone="tibia", margin="II", periosteum="lamellated")
    reading.save_reading(
        case,
        user=doctor,
        reading="malignant",
        likelihood=70,
        structure=Structured(findings=findings, recommendation="refer"),
    )
    reading.sign(case, doctor)
    pdf = PdfReader(io.BytesIO(reports.report_bytes(reports.issue_report(case, doctor))))
    text = re.sub(r"\s+", " ", " ".join(page.extract_text() for page in pdf.pages))
    assert pdf.trailer["/Root"]["/Lang"] == "de"
    for said in (
        "Befundbericht (Endgültig)",
        "Lamelläre Periostreaktion.",
        "modifizierte Lodwick-Madewell-Klassifikation, Grad II",
        "Eingeschätzte Malignität: 70 von 100",
        "Vorstellung in einem Knochentumorzentrum vor jeder Biopsie.",
        "Geboren 17.05.1990",
        "Seite 1 von",
    ):
        assert said in text, said
