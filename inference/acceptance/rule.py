"""The rule by which a model is accepted at a site: it stands in the model's card, and says yes, no or not decided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from inference.errors import WeightsError

MET, UNDECIDED, NOT_MET = "met", "undecided", "not_met"
# What a rule may bound, and whether the figure must stay below or above its limit.
FIGURES: dict[str, str] = {
    "false_alarms": "at_most",
    "false_alarms_malignant": "at_most",
    "tumour_sensitivity": "at_least",
    "cancers_called_normal": "at_most",
    "coverage": "at_least",
    "withheld": "at_most",
    "gate_refusals": "at_most",
}


@dataclass(frozen=True)
class Bound:
    """The figure must reach `limit`; the end of its interval that is against the model must reach `surely`.

    `surely` is None where few films can never tell: then the figure alone decides.
    """

    figure: str
    limit: float
    surely: float | None = None

    @property
    def is_ceiling(self) -> bool:
        return FIGURES[self.figure] == "at_most"

    def verdict(self, figure: Mapping[str, float]) -> str:
        """Return MET, UNDECIDED (more films may tell) or NOT_MET for {estimate, low, high}."""
        sign = 1 if self.is_ceiling else -1
        if sign * (figure["estimate"] - self.limit) > 0:
            return NOT_MET
        end = figure["high" if self.is_ceiling else "low"]
        return UNDECIDED if self.surely is not None and sign * (end - self.surely) > 0 else MET

    def as_dict(self) -> dict[str, float]:
        word = FIGURES[self.figure]
        surely = {} if self.surely is None else {f"surely_{word}": self.surely}
        return {word: self.limit, **surely}


@dataclass(frozen=True)
class AcceptanceRule:
    """How many films an acceptance needs, what bounds their figures, and at what the local cut-offs aim.

    `aim_false_alarms` and `aim_malignant` are shares of tumour-free films.
    """

    least_tumour_free: int
    least_tumours: int
    bounds: tuple[Bound, ...]
    aim_false_alarms: float
    aim_malignant: float

    def as_dict(self) -> dict[str, Any]:
        """Return the rule as a card holds it."""
        return {
            "least_tumour_free": self.least_tumour_free,
            "least_tumours": self.least_tumours,
            "bounds": {bound.figure: bound.as_dict() for bound in self.bounds},
            "local_cut_offs": {"false_alarms": self.aim_false_alarms, "malignant": self.aim_malignant},
        }


def rule_for(level: float | None) -> AcceptanceRule:
    """Return the rule that the laboratory writes into a card; `level` is that of its conformal sets, None without sets.

    100 tumour-free films bound the upper end of a share of .20 by .29, and 5 % by 11 % (Wilson 1927).
    """
    bounds = [
        Bound("false_alarms", 0.20, 0.30),
        Bound("false_alarms_malignant", 0.05, 0.12),
        Bound("tumour_sensitivity", 0.80, 0.50),
        Bound("cancers_called_normal", 0.10),
        Bound("withheld", 0.40, 0.50),
        Bound("gate_refusals", 0.05, 0.10),
    ]
    if level is not None:
        bounds.append(Bound("coverage", round(0.95 - level, 4), round(0.85 - level, 4)))
    return AcceptanceRule(100, 1, tuple(bounds), aim_false_alarms=0.15, aim_malignant=0.02)


def has_rule(card: Mapping[str, Any]) -> bool:
    """Return whether a card holds an acceptance rule that this program can use."""
    try:
        rule_of(card)
    except WeightsError:
        return False
    return True


def rule_of(card: Mapping[str, Any]) -> AcceptanceRule:
    """Return the rule of a card; WeightsError `no_acceptance_rule` where it has none or a damaged one."""
    try:
        stated = card["acceptance"]
        aims = stated["local_cut_offs"]
        rule = AcceptanceRule(
            least_tumour_free=int(stated["least_tumour_free"]),
            least_tumours=int(stated["least_tumours"]),
            bounds=tuple(_bound(name, entry) for name, entry in stated["bounds"].items()),
            aim_false_alarms=float(aims["false_alarms"]),
            aim_malignant=float(aims["malignant"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise WeightsError(
            "no_acceptance_rule", "The model's card has no acceptance rule: install a card that states one."
        ) from error
    shares = [rule.aim_false_alarms, rule.aim_malignant, *(bound.limit for bound in rule.bounds)]
    if rule.least_tumour_free < 1 or rule.least_tumours < 1 or not rule.bounds or not all(0 <= s <= 1 for s in shares):
        raise WeightsError(
            "no_acceptance_rule", "The model's card has no acceptance rule: install a card that states one."
        )
    return rule


def _bound(name: str, entry: Mapping[str, float]) -> Bound:
    word = FIGURES[name]
    surely = entry.get(f"surely_{word}")
    return Bound(name, float(entry[word]), None if surely is None else float(surely))


@dataclass(frozen=True)
class Verdict:
    """MET, UNDECIDED or NOT_MET as a whole, and of each bound; None for a figure that no film could tell."""

    verdict: str
    by_figure: dict[str, str | None]


def judge_figures(rule: AcceptanceRule, figures: Mapping[str, Mapping[str, float] | None]) -> Verdict:
    """Hold figures against the rule: one that is not met decides, then one that is undecided.

    A bounded figure without films (cancers, where the set has none) is left out; of tumour-free films and tumours there
    are always some.
    """
    found: dict[str, str | None] = {}
    for bound in rule.bounds:
        figure = figures.get(bound.figure)
        found[bound.figure] = bound.verdict(figure) if figure else None
    said = set(found.values())
    needed = {"false_alarms", "tumour_sensitivity"} & set(found)
    if NOT_MET in said:
        return Verdict(NOT_MET, found)
    if UNDECIDED in said or any(found[name] is None for name in needed):
        return Verdict(UNDECIDED, found)
    return Verdict(MET, found)
