"""What the scripts say, in German: a complete catalogue, its address, and how scripts write numbers."""

import ast
import gettext
import json
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse

from accounts.models import Language
from accounts.sessions import SEEN
from bonescan import words
from bonescan.tests import test_languages
from bonescan.tests.test_languages import CATALOGUE, STRING

SCRIPTS = Path(settings.BASE_DIR, "static", "js")
WORDS = re.compile(rf"\b(n?gettext)\(\s*{STRING}(?:,\s*{STRING})?")
HOLES = re.compile(r"%\(\w+\)s")
MESSAGE = re.compile(r'^(msgid|msgid_plural|msgstr(?:\[\d\])?) (".*")$', re.MULTILINE)


def entries() -> dict[str, list[str]]:
    """The .po file: msgid -> its translations (two where there is a plural)."""
    found: dict[str, list[str]] = {}
    for block in (CATALOGUE / "djangojs.po").read_text().split("\n\n")[1:]:
        said = [(name, ast.literal_eval(text)) for name, text in MESSAGE.findall(block)]
        found[dict(said)["msgid"]] = [text for name, text in said if name.startswith("msgstr")]
    return found


def marked() -> dict[str, bool]:
    """Every text that a script marks for translation, and whether it has a plural."""
    calls = (found for path in sorted(SCRIPTS.rglob("*.js")) for found in WORDS.findall(path.read_text()))
    return {ast.literal_eval(f'"{text}"'): name == "ngettext" for name, text, _ in calls}


def test_the_catalogue_holds_exactly_what_the_scripts_mark():
    known = entries()
    assert set(known) == set(marked())
    assert len(known) > 60
    for text, plural in marked().items():
        assert len(known[text]) == (2 if plural else 1), text
        assert all(known[text]), text
    assert "fuzzy" not in (CATALOGUE / "djangojs.po").read_text()


def test_every_mark_in_a_script_holds_its_text_itself():
    for path in SCRIPTS.rglob("*.js"):
        text = path.read_text()
        if path.name != "words.js":
            assert len(re.findall(r"\bn?gettext\(", text)) == len(WORDS.findall(text)), path.name


def test_translations_keep_the_places_for_values():
    for text, translated in entries().items():
        for one in translated:
            assert set(HOLES.findall(one)) == set(HOLES.findall(text)), text


def test_what_pages_and_scripts_both_say_is_the_same_in_german():
    scripts, pages = entries(), test_languages.entries()
    both = set(scripts) & set(pages)
    assert "Download the report as issued" in both
    assert {text: scripts[text] for text in both} == {text: pages[text] for text in both}


def test_the_compiled_catalogue_is_that_of_the_source():
    with (CATALOGUE / "djangojs.mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    for text, translated in entries().items():
        plural = len(translated) == 2
        said = [compiled.ngettext(text, "", count) for count in (1, 2)] if plural else [compiled.gettext(text)]
        assert said == translated
    known = {key if isinstance(key, str) else key[0] for key in compiled._catalog if key}  # type: ignore[attr-defined]
    assert known == set(entries())


LITERAL = re.compile(r'"((?:[^"\\]|\\.)*)"|`([^`]*)`')
# One capitalised word, or two words in a row: what people read looks so, and little else.
PROSE = re.compile(r"^[A-Z][a-z]+[.?!]?$|(?:^|[^\w.\-#=])[A-Za-z]{2,}[,:]? [a-z]{2,}")
SELECTED = re.compile(r'\b(?:closest|matches|querySelector(?:All)?)\("[^"]*"\)')
# Keys, headers, and what a browser or a style sheet is told.
FOR_PROGRAMS = {
    *("Enter", "Escape", "Delete", "Backspace", "Home", "End", "Session", "Accept", "use strict"),
    *("btn btn-small", "notice notice--", "notice notice--error"),
    "(resolution: dppx)",
    "values of another size",  # a mistake of the program: it is never shown, the page says that the film cannot be
}


def spoken(code: str) -> set[str]:
    """The texts of a script that look like words for people and are not marked."""
    found = set()
    for line in code.splitlines():
        bare = SELECTED.sub("", WORDS.sub("", re.sub(r"(?:^|\s)//.*", "", line)))
        for one, other in LITERAL.findall(bare):
            text = re.sub(r"\$\{[^}]*\}", "", one or other)
            if PROSE.search(text):
                found.add(text)
    return found - FOR_PROGRAMS


def test_what_is_not_marked_would_be_found():
    code = (
        'say("Saved."); say(gettext("Ready")); say(`${count} films received`); on("[data-case]"); // "Not said here."'
    )
    assert spoken(code) == {"Saved.", " films received"}


@pytest.mark.parametrize("path", sorted(SCRIPTS.rglob("*.js")), ids=lambda path: path.name)
def test_no_script_says_a_word_that_is_not_marked(path):
    left = spoken(path.read_text())
    # English has words of its own for times that have just passed; every other language takes those of the browser.
    assert left - ({"just now", "1 min ago"} if path.name == "ui.js" else set()) == set()


@pytest.mark.django_db
def test_a_german_page_names_the_catalogue_before_every_other_script_that_waits(doctor):
    doctor.language = Language.GERMAN
    doctor.save()
    web = Client()
    web.force_login(doctor)
    for address in ("/cases/", "/upload/", "/verify/"):
        page = web.get(address).content.decode()
        scripts = re.findall(r'<script src="([^"]+)" defer', page)
        assert scripts[0] == words.words_url("de")
        assert "js/words" in scripts[1]
        assert len(scripts) == page.count("<script src=") - 1, "all wait in order but the one that sets the theme"
    script = web.get(words.words_url("de"))
    assert script.headers["Content-Type"].startswith("text/javascript")
    assert "Es gibt keine weitere Aufnahme" in script.content.decode()


@pytest.mark.django_db
def test_an_english_page_asks_for_no_catalogue(doctor):
    web = Client()
    web.force_login(doctor)
    assert words.words_url("en-gb") == ""
    assert "/words/" not in web.get("/cases/").content.decode()
    for language in ("en-gb", "fr"):
        assert web.get(reverse("words", args=[language, "1"])).status_code == 404


@pytest.mark.django_db
def test_anonymous_people_get_it_in_the_language_of_its_address_and_may_keep_it():
    stranger = Client(headers={"Accept-Language": "de"})
    assert words.words_url("de") in stranger.get("/verify/").content.decode()
    answer = Client(headers={"Accept-Language": "en"}).get(words.words_url("de"))
    assert answer.status_code == 200
    assert "Fingerabdruck wird berechnet" in answer.content.decode()
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert "Vary" not in answer.headers
    assert not answer.cookies


@pytest.mark.django_db
def test_an_old_address_gets_the_present_catalogue_and_may_not_keep_it(doctor):
    web = Client()
    web.force_login(doctor)
    answer = web.get(reverse("words", args=["de", "0123"]))
    assert "Aufnahme wird geladen" in answer.content.decode()
    assert answer.headers["Cache-Control"] == "no-cache"


@pytest.mark.django_db
@pytest.mark.parametrize(("idle_s", "kept"), [(60, "public"), (7200, "private")])
def test_what_everybody_may_keep_carries_no_cookie_of_whoever_asks(doctor, idle_s, kept):
    web = Client()
    web.force_login(doctor)
    session = web.session
    session[SEEN] = time.time() - idle_s
    session.save()
    answer = web.get(words.words_url("de"))
    assert answer.headers["Cache-Control"].split(",")[0] == kept
    assert bool(answer.cookies) == (kept == "private")


def test_the_address_changes_with_the_catalogue(settings, tmp_path):
    settings.LOCALE_PATHS = [tmp_path]
    assert words.words_url("de") == ""
    folder = tmp_path / "de" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    (folder / "djangojs.po").write_text('msgid ""\nmsgstr ""\n\nmsgid "Film"\nmsgstr "Aufnahme"\n')
    subprocess.run(["msgfmt", "-o", folder / "djangojs.mo", folder / "djangojs.po"], check=True)
    first = words.words_url("de")
    (folder / "djangojs.mo").write_bytes((folder / "djangojs.mo").read_bytes() + b"\0")
    assert first
    assert words.words_url("de") not in ("", first)


SHIM = """
globalThis.window = globalThis;
globalThis.document = {{ documentElement: {{ lang: {language} }} }};
require({script});
const said = interpolate(ngettext("%(n)s film", "%(n)s films", 2), {{ n: 2 }}, true);
const numbers = [[12.345, 1], [-0.5, 2], [-0, 2], [1550.4], [12345]].map((one) => BoneScan.number(...one));
console.log(JSON.stringify([gettext("Saved."), said, ...numbers]));
"""


@pytest.mark.skipif(not shutil.which("node"), reason="needs Node.js")
@pytest.mark.parametrize(
    ("language", "numbers"),
    [("en", ["12.3", "-0.50", "0.00", "1550", "12345"]), ("de", ["12,3", "-0,50", "0,00", "1550", "12345"])],
)
def test_without_a_catalogue_scripts_speak_english_and_numbers_follow_the_page(language, numbers):
    code = SHIM.format(language=json.dumps(language), script=json.dumps(str(SCRIPTS / "words.js")))
    told = subprocess.run(["node", "-e", code], capture_output=True, text=True, check=True)
    assert json.loads(told.stdout) == ["Saved.", "2 films", *numbers]
