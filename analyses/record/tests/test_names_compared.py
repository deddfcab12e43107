"""When two names can be one person's: in any script, spelling and order, and never by leaving out half of a letter."""

import itertools
import unicodedata

import pytest

from analyses.record.fields import CaseFields, cleaned
from analyses.record.identity import agree
from analyses.record.names import name_words, names_agree

ONE_PERSON = [
    # transliteration
    ("Müller^Jörg", "Mueller, Joerg", "MULLER JORG", "jörg müller", "Mu\u0308ller Jo\u0308rg"),
    ("Krämer", "Kraemer", "KRAMER"),
    ("Sørensen^Bjørn", "Soerensen Bjoern", "SORENSEN BJORN"),
    ("Ångström", "Aangstroem", "\u212bngström"),
    ("Łuczak^Paweł", "LUCZAK PAWEL"),
    ("Yıldız^Işıl", "YILDIZ ISIL", "Yildiz Isil"),
    ("YILDIRIM^İNCİ", "yıldırım inci"),
    ("Weiß^Groß", "WEISS GROSS", "WEIẞ GROẞ"),
    ("Kjær^Æbbe", "Kjaer Aebbe"),
    ("Đurić^Đorđe", "Djuric Djordje"),
    ("Đurić^Đorđe", "Duric Dorde"),
    ("Þórsdóttir^Guðrún", "Thorsdottir Gudrun"),
    ("Guðrún", "GUTHRUN"),
    ("Nguyễn^Thị^Hương", "NGUYEN THI HUONG"),
    ("Œuvrard", "Oeuvrard"),
    # words written apart and together, order, punctuation
    ("Lefort^Jean-Luc", "Lefort Jeanluc", "Jean Luc Lefort", "LEFORT, JEAN\u2010LUC"),
    ("van der Velde^Noor", "Noor van der Velde", "VELDE, NOOR VAN DER"),
    ("O'Brannan^Una", "O’Brannan, Una", "Oʼbrannan Una", "O`Brannan Una", "OBRANNAN^UNA", "O Brannan Una"),
    ("Знам'яненко", "Знамʼяненко", "ЗНАМ’ЯНЕНКО"),
    ("Doe^Jane^^Dr.", "DOE_JANE", "Doe;Jane", "Doe  Jane="),
    ("Müller^Anna", "Müller^Anna^Katharina", "Anna"),
    # width and invisible letters
    ("ＹＡＭＡＤＡ　ＴＡＲＯＵ", "Yamada^Tarou"),
    ("ﾔﾏﾀﾞ", "ヤマダ", "やまだ", "\u3084\u307e\u305f\u3099"),
    ("Do\u00ade^Ja\u200bne", "Doe^Jane\ufe0f", "\u3164Doe Jane"),
    ("김\u1100\u1161\u11ab", "김간"),
    # groups: alphabetic, ideographic, phonetic
    ("Yamada^Tarou=山田^太郎=やまだ^たろう", "Yamada^Tarou"),
    ("Yamada^Tarou=山田^太郎", "山田^太郎=やまだ^たろう", "山田太郎"),
    ("山田^太郎", "太郎　山田"),
    ("=山田^太郎=ヤマダ^タロウ", "やまだ　たろう"),
    ("Hong^Gildong=洪^吉洞=홍^길동", "홍길동", "홍 길동"),
    ("Wang^Xiaoming=王^小明", "王小明", "王 小明"),
    ("Sato^Yoko=佐藤^陽子", "Satou^Youko=佐藤^陽子", "佐藤陽子"),
    # other alphabets
    ("Семёнов^Артём", "СЕМЕНОВ АРТЕМ", "Семе\u0301нов Артём"),
    ("Παπαδάκης^Γιώργος", "ΠΑΠΑΔΑΚΗΣ ΓΙΩΡΓΟΣ"),
    ("أحمد^محمّد", "احمد محمد", "مُحَمَّد أَحْمَد", "محمـــد احمد"),
    ("کریمی", "كريمي"),
    ("שָׁלוֹם", "שלום"),
    ("मीरा^शर्मा", "शर्मा मीरा", "मीरा शर्मा"),
    ("สมชาย^ใจดี", "ใจดี สมชาย"),
    ("রিনা^সেন", "সেন, রিনা"),
]

TWO_PEOPLE = [
    ("मीरा", "राम"),
    ("मीरा", "मारी"),
    ("मीरा", "मर"),
    ("रीना", "रानी"),
    ("রিনা", "রানি"),
    ("রিনা", "রন"),
    ("สมศรี", "สมศร"),
    ("มาลี", "มาลา"),
    ("நீலா", "நிலா"),
    ("గీత", "గత"),
    ("かが", "かか"),
    ("はら", "ばら"),
    ("ハラ", "パラ"),
    ("김민수", "김민서"),
    ("山田^太郎", "山田^花子"),
    ("Yamada^Tarou=山田^太郎", "Yamada^Hanako=山田^花子"),
    ("Yamada^Tarou=山田^太郎", "鈴木^花子=すずき^はなこ"),
    ("Sato^Yoko=佐藤^陽子", "Sato^Yoko=佐藤^洋子"),
    ("Sato^Yoko=佐藤^陽子=さとう^ようこ", "佐藤 洋子"),
    ("Kim^Minsu=金^民秀=김^민수", "Kim^Minsu=金^敏洙=김^민수"),
    ("山田太郎", "Yamada^Tarou"),
    ("王小明", "王大明"),
    ("Андрей", "Андреи"),
    ("Їжак", "Іжак"),
    ("Семёнов", "Симонов"),
    ("حسن", "حسين"),
    ("שרה", "שרי"),
    ("Παππάς", "Πάππου"),
    ("Müller^Jörg", "Miller Jorg"),
    ("Müller^Jörg", "Müller^Jürgen"),
    ("Bauer", "Baur"),
    ("Doe^Jane", "Do^Jane"),
    ("Novak^Michael", "Novak^Michal"),
    ("Novak^Michaela", "Novak^Michala"),
    ("Manuel", "Manul"),
    ("Zoe", "Zo"),
    ("Neuer", "Neur"),
    ("Jean-Luc", "Jean-Marc"),
    ("Lefort^Jeanluc", "Lefort^Jean"),
    ("O'Brannan", "Brannen"),
    ("Łuczak", "Tuczak"),
    ("Weiß", "Weib"),
    ("Doe^Jane^M", "Doe^Jane^K"),
    ("M\ufffdller", "Müller"),
    ("\ufffd\ufffd", "Müller"),
    ("Patient 0001", "Patient 0002"),
]


@pytest.mark.parametrize("names", ONE_PERSON, ids=lambda names: ascii(names[0]))
def test_spellings_of_one_name_agree(names):
    for one, other in itertools.permutations(names, 2):
        assert agree("patient_name", one, other), (one, other)


@pytest.mark.parametrize(("one", "other"), TWO_PEOPLE, ids=ascii)
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_names_of_two_people_contradict(one, other, form):
    assert not agree("patient_name", unicodedata.normalize(form, one), other)
    assert not agree("patient_name", other, unicodedata.normalize(form, one))


def test_names_of_one_row_do_not_agree_with_those_of_another():
    firsts = [names[0] for names in ONE_PERSON]
    for one, other in itertools.combinations(firsts, 2):
        shared = set(name_words(one)) & set(name_words(other))
        assert shared or not names_agree(one, other), (one, other)


def test_a_name_of_many_letters_is_compared_at_once():
    assert names_agree("ü" * 200, "ue" * 200)
    assert not names_agree("ü " * 100, "x " * 100)


def test_equal_words_are_equal_in_any_order_and_width():
    assert name_words("Müller^Anna") == name_words("ＡＮＮＡ Mueller")
    assert name_words("Müller^Anna") != name_words("Müller")


INVISIBLE = [
    *(0x00, 0x7F, 0xAD, 0x34F, 0x61C, 0x115F, 0x1160, 0x180B, 0x180E, 0x200B, 0x200D, 0x200F, 0x2060, 0x2800, 0x3164),
    *(0xFE0F, 0xFEFF, 0xFFA0, 0xFFFC, 0xFFFD, 0xE0001, 0xE0100),
]


@pytest.mark.parametrize("field", ["patient_id", "accession_number"])
@pytest.mark.parametrize("code", INVISIBLE, ids=hex)
def test_a_number_with_a_letter_that_cannot_be_seen_is_refused(field, code):
    with pytest.raises(Exception, match="Correct them") as caught:
        cleaned(CaseFields(**{field: f"40{chr(code)}1"}))
    assert caught.value.code == "bad_field"
    assert list(caught.value.fields) == [field]


@pytest.mark.parametrize("code", [*INVISIBLE, 0xFFFD, 0xE01EF], ids=hex)
def test_a_name_with_a_letter_that_cannot_be_seen_is_refused(code):
    with pytest.raises(Exception, match="Correct them") as caught:
        cleaned(CaseFields(patient_name=f"M{chr(code)}ller"))
    assert list(caught.value.fields) == ["patient_name"]


def test_a_form_of_an_ideograph_is_part_of_a_name():
    assert cleaned(CaseFields(patient_name="葛\U000e0100城")).patient_name == "葛\U000e0100城"


@pytest.mark.parametrize("field", ["patient_name", "body_part_examined", "clinical_question", "patient_id"])
def test_bytes_that_were_not_utf8_are_told_of(field):
    with pytest.raises(Exception, match="Correct them") as caught:
        cleaned(CaseFields(**{field: "M\ufffdller"}))
    assert "UTF-8" in caught.value.fields[field][0]


@pytest.mark.parametrize("number", ["40-1", "Ä/12 b", "患者１２", "Nº 7"])
def test_numbers_that_can_be_seen_are_kept_as_they_are(number):
    assert cleaned(CaseFields(patient_id=number)).patient_id == number
