"""The report: everything it needs is inside, everything measured is shown, and a leak cannot be overlooked."""

import json
import re
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser

import pytest

from inference.lab.evaluation.compare import compare
from inference.lab.evaluation.figures import figures
from inference.lab.reports import plots
from inference.lab.reports.measurement import report_html
from inference.lab.reports.tables import facts_table, figure_table, number
from inference.tests.lab_films import THRESHOLDS, made_films, made_outputs

FACTS = {"leaking": False, "model": "joint 1 <b>", "protocol": "grouped", "parameters": 2_400_000, "minutes": 38.25}
VOID = {"meta", "br", "hr", "img", "link", "input"}


class Outline(HTMLParser):
    """Checks that every element is closed in order; keeps headings, attributes and text."""

    def __init__(self):
        super().__init__()
        self.open, self.headings, self.attributes, self.words = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.attributes += [(tag, *pair) for pair in attrs]
        if tag not in VOID:
            self.open.append(tag)
        if tag in {"h1", "h2", "h3"}:
            self.headings.append("")

    def handle_startendtag(self, tag, attrs):
        self.attributes += [(tag, *pair) for pair in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)
        if {"h1", "h2", "h3"} & set(self.open):
            self.headings[-1] += data


def read(page):
    outline = Outline()
    outline.feed(page)
    outline.close()
    assert outline.open == []
    return outline


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    films = made_films(tmp_path_factory.mktemp("masks"))
    return json.loads(json.dumps(figures(films, made_outputs(films), THRESHOLDS, 60)))


def test_the_page_is_whole_and_asks_nothing_of_a_network(found):
    page = report_html("Joint on grouped", FACTS, found)
    outline = read(page)
    assert not {"script", "link", "img", "iframe"} & {tag for tag, *_ in outline.attributes}
    assert not [a for a in outline.attributes if a[1] in {"src", "href"} or a[1].startswith("on")]
    assert "url(" not in page
    assert "@import" not in page
    assert "http" not in page
    assert "prefers-color-scheme" in page


def test_every_section_of_the_figures_is_shown(found):
    headings = " | ".join(read(report_html("t", FACTS, found)).headings)
    for words in ("Ranking", "Per class", "Confusion", "ROC", "Decision curve", "Risk against coverage", "Withheld"):
        assert words in headings
    for words in ("Conformal", "Outlines", "Saliency", "flip", "Gate", "Subtype", "Subgroups by centre", "by size"):
        assert words in headings


def test_estimate_interval_and_number_of_films_stand_in_one_row(found):
    page = report_html("t", FACTS, found)
    row = re.search(r"<tr><th scope=\"row\">macro AUROC</th>.*?</tr>", page).group()
    figure = found["macro_auroc"]
    assert number(figure["estimate"]) in row
    assert f"{number(figure['low'])} to {number(figure['high'])}" in row
    assert '<td class="num">120</td>' in row
    assert "120 films" in page
    assert "30 groups" in page


def test_a_leak_is_said_on_every_heading_and_an_honest_page_never_says_it(found):
    leaking = read(report_html("t", {**FACTS, "leaking": True, "leaking_reasons": ["161 identical"]}, found))
    assert len(leaking.headings) > 15
    assert all(heading.startswith("LEAKING") for heading in leaking.headings)
    assert "161 identical" in leaking.words
    assert "LEAKING" not in report_html("t", FACTS, found)


def test_it_says_that_it_is_a_research_device(found):
    page = report_html("t", FACTS, found)
    assert "Research device" in page
    assert "before biopsy" in page


def test_too_few_groups_are_said_before_any_figure(found):
    assert "10 with malignant films" in found["few_groups"]
    words = "".join(read(report_html("Toy", FACTS, found)).words)
    assert words.index(found["few_groups"]) < words.index("macro AUROC")
    enough = {key: value for key, value in found.items() if key != "few_groups"}
    assert "Few groups" not in report_html("Toy", FACTS, enough)


def test_a_comparison_shows_both_models_their_difference_and_p():
    films = made_films(None)
    compared = compare(films, made_outputs(films), made_outputs(films, seed=9), resamples=50)
    page = report_html("t", FACTS, {"comparison": {**compared, "a": "paper", "b": "joint"}})
    assert "a: paper; b: joint." in page
    row = re.search(r"<tr><th scope=\"row\">macro AUROC</th>.*?</tr>", page).group()
    for side in ("a", "b", "difference"):
        assert number(compared["figures"]["macro_auroc"][side]["estimate"]) in row
    assert f"{compared['figures']['macro_auroc']['p']:.4f}" in row


def test_names_are_text_and_never_markup(found):
    page = report_html("<script>alert(1)</script>", FACTS, found)
    assert "<script" not in page
    assert "joint 1 &lt;b&gt;" in page


def test_a_bare_measurement_makes_a_shorter_page():
    films = made_films(None)
    bare = figures(films, made_outputs(films, full=False), THRESHOLDS, 30)
    headings = read(report_html("t", FACTS, bare)).headings
    assert not any("Withheld" in heading or "Saliency" in heading for heading in headings)
    one = [film for film in films if film.label == "malignant"]
    read(report_html("t", FACTS, figures(one, made_outputs(one, full=False), THRESHOLDS, 30)))
    read(report_html("t", {}, {}))


def test_what_is_not_known_is_a_dash_and_nought_has_no_sign():
    assert number(None) == "–"
    assert number(-0.0001) == "0.000"
    table = figure_table({"auroc": {"estimate": None, "low": None, "high": None, "n": 0}})
    assert table.count("–") == 2
    assert "reason" not in facts_table({"reason": None, "seed": 7})


def marks(svg, tag):
    return [element for element in ElementTree.fromstring(svg).iter() if element.tag.endswith(tag)]


def test_a_calibration_point_stands_where_its_numbers_are():
    svg = plots.calibration_plot([{"stated": 0.5, "observed": 1.0, "low": 0.8, "high": 1.0, "n": 9}])
    dot = marks(svg, "circle")[0].attrib
    assert float(dot["cx"]) == (plots.LEFT + plots.WIDTH - plots.RIGHT) / 2
    assert float(dot["cy"]) == plots.TOP


def test_series_differ_by_dash_and_are_named():
    points = [{"sensitivity": 0.0, "specificity": 1.0}, {"sensitivity": 1.0, "specificity": 0.0}]
    svg = plots.roc_plot({"malignant": points, "tumour": points}, [(0.1, 0.9)])
    dashes = {path.attrib.get("stroke-dasharray") for path in marks(svg, "path") if "plot-" in path.get("class", "")}
    assert len(dashes) >= 3
    names = [text.text for text in marks(svg, "text")]
    assert {"malignant", "tumour", "no skill", "sensitivity"} <= set(names)


def test_plots_without_points_are_no_plots():
    assert plots.calibration_plot([]) == ""
    assert plots.decision_plot([]) == ""
    assert plots.roc_plot({"malignant": []}) == ""
    assert plots.risk_coverage_plot([]) == ""
    assert plots.froc_plot([]) == ""


def test_the_confusion_plot_holds_every_count_and_the_share_of_its_row():
    svg = plots.confusion_plot([[8, 2, 0], [0, 0, 0], [1, 1, 2]], ["normal", "benign", "malignant"])
    words = [text.text for text in marks(svg, "text")]
    assert words.count("8") == 1
    assert "80 %" in words
    assert words.count("-") == 3  # nobody in the second row


def test_a_bar_is_drawn_only_for_what_lies_between_nought_and_one():
    assert plots.interval_bar({"estimate": 13.0, "low": 12.0, "high": 14.0, "n": 3}) == ""
    assert plots.interval_bar({"estimate": None, "low": None, "high": None, "n": 0}) == ""
    assert "<svg" in plots.interval_bar({"estimate": 0.5, "low": 0.4, "high": 0.6, "n": 3})
