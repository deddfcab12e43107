"""How often drift monitoring alarms falsely, and how many windows of films it takes to notice a stated change.

    .venv/bin/python -m bench.drift

Ten figures are monitored, as on films: six quantities and four shares, independent, the reference of each a
sample of its own (1,743 films as in the card, or 200 local ones). Every change is of one figure only. Films of one
patient share ALIKE of a quantity's variance, and a share's answer with that probability; the portal takes one film of
each patient, and what would happen with all of them is printed beside.
"""

import numpy as np

from inference.shift.bins import CUTS, Reference, compare, holm, of_quantiles, of_shares

WINDOW, LEVEL, MOST_WINDOWS = 100, 0.01, 40
ALIKE = 0.8
CARD, LOCAL = 1743, 200
QUANTITIES = (CARD, CARD, CARD, CARD, LOCAL, LOCAL)
SHARES = ((0.339, CARD), (0.142, CARD), (0.05, LOCAL), (0.4, LOCAL))
# what changes, how the page calls it, shift in standard deviations or new share
CHANGES = (
    (0, "quantity by 0.3 SD", 0.3),
    (0, "quantity by 0.5 SD", 0.5),
    (0, "quantity by 0.8 SD", 0.8),
    (0, "quantity by 1.2 SD", 1.2),
    (6, "withheld from 34 % to 45 %", 0.45),
    (6, "withheld from 34 % to 50 %", 0.50),
    (6, "withheld from 34 % to 60 %", 0.60),
    (7, "malignant from 14 % to 25 %", 0.25),
    (7, "malignant from 14 % to 35 %", 0.35),
)


def references(draw: np.random.Generator) -> list[Reference]:
    """One sample of a site for each figure."""
    made = [of_quantiles(np.quantile(draw.normal(size=n), CUTS).tolist(), n) for n in QUANTITIES]
    for share, n in SHARES:
        found = draw.binomial(n, share) / n
        made.append(of_shares({"yes": found, "no": 1 - found}, n))
    return made


def window(draw: np.random.Generator, changed: int = -1, to: float = 0.0, films: int = 1) -> list[np.ndarray]:
    """One window of every figure, one of them changed; `films` of each patient stand in it."""
    patients = WINDOW // films
    values = []
    for place in range(len(QUANTITIES)):
        own = draw.normal(size=(patients, 1)) * np.sqrt(ALIKE)
        found = own + draw.normal(size=(patients, films)) * np.sqrt(1 - ALIKE)
        values.append(found.ravel() + (to if place == changed else 0))
    for place, (share, _) in enumerate(SHARES, start=len(QUANTITIES)):
        chance = to if place == changed else share
        own, other = draw.random((patients, 1)) < chance, draw.random((patients, films)) < chance
        said = np.where(draw.random((patients, films)) < ALIKE, own, other)
        values.append(np.where(said.ravel(), "yes", "no"))
    return values


def adjusted(site: list[Reference], values: list[np.ndarray]) -> list[float]:
    return holm([compare(list(figure), reference).p for figure, reference in zip(values, site, strict=True)])


def false_alarms(draw: np.random.Generator, sites: int = 200, windows: int = 50, films: int = 1) -> float:
    """Share of windows without any change in which at least one figure alarms, with `films` of each patient."""
    alarms = 0
    for _ in range(sites):
        site = references(draw)
        alarms += sum(min(adjusted(site, window(draw, films=films))) <= LEVEL for _ in range(windows))
    return alarms / (sites * windows)


def delays(draw: np.random.Generator, changed: int, to: float, runs: int = 200) -> np.ndarray:
    """Windows until the changed figure alarms, (runs,); a change begins with a window."""
    found = np.full(runs, MOST_WINDOWS + 1)
    for run in range(runs):
        site = references(draw)
        for number in range(1, MOST_WINDOWS + 1):
            if adjusted(site, window(draw, changed, to))[changed] <= LEVEL:
                found[run] = number
                break
    return found


def main() -> None:
    draw = np.random.default_rng(2026)
    print(f"windows of {WINDOW} patients, family-wise level {LEVEL:g}")
    print(f"false alarms, one film of each patient: {100 * false_alarms(draw):.2f} % of 10,000 windows")
    for films in (2, 4):
        share = 100 * false_alarms(draw, sites=40, films=films)
        print(f"false alarms, were {films} films of each patient taken: {share:.0f} % of 2,000 windows")
    print(f"{'change':32} {'first window':>12} {'median films':>12} {'90th':>6}")
    for changed, name, to in CHANGES:
        waited = delays(draw, changed, to)
        median, late = WINDOW * np.median(waited), WINDOW * np.quantile(waited, 0.9)
        print(f"{name:32} {100 * np.mean(waited == 1):>11.0f}% {median:>12.0f} {late:>6.0f}")


if __name__ == "__main__":
    main()
