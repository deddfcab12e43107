"""Every remark that the decoder can make has words on the page, in both languages."""

from django.utils import translation

from analyses.answers.remarks import NOT_IN_REPORTS
from analyses.answers.wording import NOTES
from inference.imaging.limits import DECODE_WARNINGS


def test_every_remark_of_the_decoder_has_words():
    assert NOTES.keys() >= DECODE_WARNINGS.keys()
    assert NOTES.keys() >= NOT_IN_REPORTS


def test_every_remark_is_said_in_german():
    with translation.override("de"):
        german = {code: str(words) for code, words in NOTES.items()}
    with translation.override("en"):
        english = {code: str(words) for code, words in NOTES.items()}
    assert [code for code in NOTES if german[code] == english[code]] == []
