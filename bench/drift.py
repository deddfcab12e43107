"""How often drift monitoring alarms falsely, and how many windows of films it takes to notice a stated change.

    .venv/bin/python -m bench.drift

Ten figures are monitored, as on films: six quantities and four shares, independent, the reference of each a
sample of its own (1,743 films as in the card, or 200 local ones). Every change is of one figure only.
"""

import numpy as np

from inference.shift.bins import CUTS, Reference, compare, holm, of_quantiles, of_shares

WINDOW, LEVEL, MOST_WINDOWS = 100, 0.01, 40
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


def window(draw: np.random.Generator, changed: int = -1, to: float = 0.0) -> list[np.ndarray]:
    """One window of every figure, one of them changed."""
    values = [draw.normal(size=WINDOW) + (to if place == changed else 0) for place in range(len(QUANTITIES))]
    for place, (share, _) in enumerate(SHARES, start=len(QUANTITIES)):
        values.append(np.where(draw.random(WINDOW) < (to if place == changed else share), "yes", "no"))
    return values


def adjusted(site: list[Reference], values: list[np.ndarray]) -> list[float]:
    return holm([compare(list(figure), reference).p for figure, reference in zip(values, site, strict=True)])


def false_alarms(draw: np.random.Generator, sites: int = 200, windows: int = 50) -> float:
    """Share of windows without any change in which at least one figure alarms."""
    alarms = 0
    for _ in range(sites):
        site = references(draw)
        alarms += sum(min(adjusted(site, window(draw))) <= LEVEL for _ in range(windows))
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
    print(f"windows of {WINDOW} films, family-wise level {LEVEL:g}")
    print(f"false alarms: {100 * false_alarms(draw):.2f} % of 10,000 windows")
    print(f"{'change':32} {'first window':>12} {'median films':>12} {'90th':>6}")
    for changed, name, to in CHANGES:
        waited = delays(draw, changed, to)
        median, late = WINDOW * np.median(waited), WINDOW * np.quantile(waited, 0.9)
        print(f"{name:32} {100 * np.mean(waited == 1):>11.0f}% {median:>12.0f} {late:>6.0f}")


if __name__ == "__main__":
    main()
