"""The results of a closed reader study, computed anew from its readings whenever they are shown.

The analysis needs every reader to have read every case in both conditions. So it leaves out

- readers with a missing reading, whom it names;
- cases that any of the other readers could not tell in either condition, since *cannot tell* has no score; they are
  dropped for everybody and counted.

Sensitivity and specificity are those of the call *malignant*, on the same cases.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median

import numpy as np
from django.db.models import Prefetch
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from analyses.models import Condition, ReaderStudy, ReaderStudyCase, ReaderStudyReader, ReaderStudyReading, Reading
from analyses.statistics import obuchowski_rockette
from analyses.statistics.auc import NotEstimable, empirical_auc, roc_points
from analyses.statistics.delong import auc_with_covariance, share_with_covariance

# Differences are those of the first less the second.
CONDITIONS = (Condition.WITH, Condition.WITHOUT)
FEW_CASES, FEW_READERS = 10, 3
NORMAL_QUANTILE = 1.959963984540054  # of 0.975


@dataclass(frozen=True)
class Share:
    """Hits among n; a rate only where n is not small."""

    hits: int
    n: int

    @property
    def rate(self) -> float | None:
        return self.hits / self.n if self.n >= FEW_CASES else None


@dataclass(frozen=True)
class Area:
    """One reader's area in one condition with its DeLong interval; ``low`` and ``high`` are None without an error."""

    estimate: float
    low: float | None = None
    high: float | None = None


@dataclass
class ConditionResult:
    """One reader in one condition; ``median_s`` and ``cannot_tell`` count all his readings, the rest the analysed."""

    condition: Condition
    read: int
    cannot_tell: int
    median_s: float | None
    area: Area | None = None
    sensitivity: Share | None = None
    specificity: Share | None = None
    curve: list[tuple[float, float]] = field(default_factory=list)


@dataclass
class ReaderResult:
    """One reader; ``missing`` readings keep him out of the analysis."""

    reader: ReaderStudyReader
    missing: int
    conditions: list[ConditionResult]


@dataclass(frozen=True)
class Comparison:
    """One figure compared between the conditions; ``random`` and ``fixed`` are None where ``not_estimable`` says why.

    ``means`` over the readers, in the order of CONDITIONS, are there wherever the figure itself is.
    """

    name: str
    random: obuchowski_rockette.Analysis | None
    fixed: obuchowski_rockette.Analysis | None
    not_estimable: str
    means: list[float] | None = None


@dataclass
class Results:
    """Everything that the results page shows."""

    readers: list[ReaderResult]
    cases: int
    dropped: int
    malignant: int  # among the analysed cases
    others: int
    comparisons: list[Comparison]
    warnings: list[str]

    @property
    def analysed(self) -> int:
        return self.malignant + self.others

    @property
    def complete(self) -> list[ReaderResult]:
        return [row for row in self.readers if not row.missing]


@dataclass(frozen=True)
class Scores:
    """The complete cases of the complete readers: likelihood (2, R, n), malignant calls (2, R, n), truth (n,)."""

    likelihood: np.ndarray
    calls: np.ndarray
    positive: np.ndarray


def results_of(reader_study: ReaderStudy) -> Results:
    """Analyse the readings of a reader study."""
    cases_without_films = Prefetch("study_case", ReaderStudyCase.objects.defer("films"))
    rows = list(
        ReaderStudyReading.objects.filter(reader__reader_study=reader_study).prefetch_related(cases_without_films)
    )
    readers = list(reader_study.readers.select_related("user"))
    found = [_reader(reader, [row for row in rows if row.reader_id == reader.pk]) for reader in readers]
    complete = [row for row in found if not row.missing]
    scores = _scores([row.reader for row in complete], rows)
    for index, row in enumerate(complete):
        _fill(row, index, scores)
    cases = reader_study.cases.count()
    positive = int(scores.positive.sum())
    result = Results(
        readers=found,
        cases=cases,
        dropped=cases - len(scores.positive) if complete else 0,
        malignant=positive,
        others=len(scores.positive) - positive,
        comparisons=_comparisons(scores) if complete else [],
        warnings=[],
    )
    result.warnings = _warnings(result)
    return result


def _reader(reader: ReaderStudyReader, rows: list[ReaderStudyReading]) -> ReaderResult:
    conditions = []
    for condition in CONDITIONS:
        done = [row for row in rows if row.condition == condition and row.is_submitted]
        times = [row.time_s for row in done if row.time_s is not None]
        conditions.append(
            ConditionResult(
                condition=condition,
                read=len(done),
                cannot_tell=sum(row.reading == Reading.CANNOT_TELL for row in done),
                median_s=median(times) if times else None,
            )
        )
    return ReaderResult(reader, sum(not row.is_submitted for row in rows), conditions)


def _scores(readers: list[ReaderStudyReader], rows: list[ReaderStudyReading]) -> Scores:
    reader_at = {reader.pk: index for index, reader in enumerate(readers)}
    cases = sorted({row.study_case for row in rows}, key=lambda case: case.number)
    case_at = {case.pk: index for index, case in enumerate(cases)}
    shape = (len(CONDITIONS), len(readers), len(cases))
    likelihood, calls = np.full(shape, np.nan), np.zeros(shape, dtype=bool)
    for row in rows:
        if row.reader_id in reader_at and row.likelihood is not None:
            place = CONDITIONS.index(Condition(row.condition)), reader_at[row.reader_id], case_at[row.study_case_id]
            likelihood[place], calls[place] = row.likelihood, row.reading == Reading.MALIGNANT
    kept = ~np.isnan(likelihood).any(axis=(0, 1)) if readers else np.zeros(len(cases), dtype=bool)
    positive = np.array([case.is_malignant for case in cases], dtype=bool)
    return Scores(likelihood[:, :, kept], calls[:, :, kept], positive[kept])


def _fill(row: ReaderResult, index: int, scores: Scores) -> None:
    """Write a complete reader's own figures."""
    positive = scores.positive
    for place, entry in enumerate(row.conditions):
        score, call = scores.likelihood[place, index], scores.calls[place, index]
        entry.sensitivity = Share(int(call[positive].sum()), int(positive.sum()))
        entry.specificity = Share(int((~call[~positive]).sum()), int((~positive).sum()))
        if positive.any() and not positive.all():
            entry.curve = roc_points(score, positive)
            entry.area = _area(score, positive)


def _area(score: np.ndarray, positive: np.ndarray) -> Area:
    try:
        areas, covariance = auc_with_covariance(score[None, :], positive)
    except NotEstimable:
        return Area(float(empirical_auc(score, positive)[0]))
    half = NORMAL_QUANTILE * float(np.sqrt(covariance[0, 0]))
    # Classes that a reader separates entirely leave no estimate of the error; an interval of no width would be a lie.
    if half <= 0:
        return Area(float(areas[0]))
    return Area(float(areas[0]), max(0.0, float(areas[0]) - half), min(1.0, float(areas[0]) + half))


def _comparisons(scores: Scores) -> list[Comparison]:
    modalities, readers, count = scores.likelihood.shape
    flat = modalities * readers

    def shares(of: np.ndarray) -> Callable[[], tuple[np.ndarray, np.ndarray]]:
        def estimate() -> tuple[np.ndarray, np.ndarray]:
            if of.shape[2] < FEW_CASES:
                raise NotEstimable("few_cases", _("Fewer than %(few)s cases: no rate given.") % {"few": FEW_CASES})
            return share_with_covariance(of.reshape(flat, of.shape[2]))

        return estimate

    areas = scores.likelihood.reshape(flat, count)
    return [
        _compare("AUC", lambda: auc_with_covariance(areas, scores.positive), readers),
        _compare(_("Sensitivity"), shares(scores.calls[:, :, scores.positive]), readers),
        _compare(_("Specificity"), shares(~scores.calls[:, :, ~scores.positive]), readers),
    ]


def _compare(name: str, estimate: Callable[[], tuple[np.ndarray, np.ndarray]], readers: int) -> Comparison:
    try:
        figures, covariance = estimate()
    except NotEstimable as reason:
        return Comparison(name, None, None, reason.message)
    found: dict[str, obuchowski_rockette.Analysis | None] = {"random": None, "fixed": None}
    not_estimable = ""
    for kind in found:
        try:
            found[kind] = obuchowski_rockette.analyse(
                figures.reshape(len(CONDITIONS), readers), covariance, readers=kind
            )
        except NotEstimable as reason:
            not_estimable = not_estimable or reason.message
    means = figures.reshape(len(CONDITIONS), readers).mean(axis=1).tolist()
    return Comparison(name, found["random"], found["fixed"], not_estimable, means)


def _warnings(result: Results) -> list[str]:
    texts = [text for row in result.readers for text in _warnings_of(row)]
    if not result.complete:
        return [*texts, _("No analysis: no reader has read every case in both conditions.")]
    if result.dropped:
        dropped = ngettext(
            "%(number)s case of %(all)s excluded for all readers and conditions, because at least one"
            " reading was cannot tell and has no score.",
            "%(number)s cases of %(all)s excluded for all readers and conditions, because at least "
            "one reading was cannot tell and has no score.",
            result.dropped,
        )
        texts.append(dropped % {"number": result.dropped, "all": result.cases})
    if not result.malignant or not result.others:
        texts.append(_("All analysed cases belong to one class, so no area under the curve can be calculated."))
    elif min(result.malignant, result.others) < FEW_CASES:
        small = _(
            "Small sample: %(malignant)s malignant and %(others)s other cases. The intervals are "
            "approximations for larger samples. Rates from fewer than %(few)s cases are not shown."
        )
        texts.append(small % {"malignant": result.malignant, "others": result.others, "few": FEW_CASES})
    if len(result.complete) < FEW_READERS:
        texts.append(_("Fewer than three complete readers: conclusions about readers in general are weak."))
    return texts


def _warnings_of(row: ReaderResult) -> list[str]:
    texts = []
    if row.missing:
        incomplete = ngettext(
            "Reader %(reader)s was not analysed: %(number)s reading is missing.",
            "Reader %(reader)s was not analysed: %(number)s readings are missing.",
            row.missing,
        )
        texts.append(incomplete % {"reader": row.reader.number, "number": row.missing})
    if row.reader.washout_waived_at is not None:
        texts.append(_("The wash-out of reader %(reader)s was waived.") % {"reader": row.reader.number})
    return texts
