"""What a person sees of a training: a bar with the time left, and the plot of its history."""

from __future__ import annotations

import sys
import time

_WIDTH, _HEIGHT, _MARGIN = 640, 280, 44
_BAR_CELLS = 24
_EVERY_S = 2.0


class Bar:
    """A progress bar on standard error: redrawn in place on a terminal, silent between lines elsewhere."""

    def __init__(self, name: str, steps: int, done: int) -> None:
        self._name, self._steps, self._first = name, max(1, steps), done
        self._began = self._drawn = time.monotonic()
        self._terminal = sys.stderr.isatty()

    def step(self, done: int, loss: float) -> None:
        """Show that `done` of all steps are behind."""
        now = time.monotonic()
        if not self._terminal or now - self._drawn < _EVERY_S:
            return
        self._drawn = now
        cells = round(_BAR_CELLS * done / self._steps)
        text = f"{self._name} [{'#' * cells}{'.' * (_BAR_CELLS - cells)}] loss {loss:.3f}, {self.left(done)}"
        sys.stderr.write(f"\r{text:<79}")
        sys.stderr.flush()

    def left(self, done: int) -> str:
        """The time left at the pace so far, in words."""
        pace = (time.monotonic() - self._began) / max(1, done - self._first)
        return f"{pace * (self._steps - done) / 60:.0f} min left"

    def line(self, text: str) -> None:
        """Print a line that stays."""
        sys.stderr.write(f"\r{text}\n" if self._terminal else f"{text}\n")
        sys.stderr.flush()


def history_plot(history: list[dict[str, float]]) -> str:
    """Return an SVG with one line per figure over the epochs; the loss is scaled to its largest value."""
    names = ("train_loss", "macro_auroc", "malignant_auroc", "dice")
    colours = ("#888888", "#2f6f9f", "#b3541e", "#5b7f3a")
    top = max((line["train_loss"] for line in history), default=1.0) or 1.0
    last = max((line["epoch"] for line in history), default=1)
    parts = []
    for row, (name, colour) in enumerate(zip(names, colours, strict=True)):
        points = [
            (line["epoch"], line[name] / (top if name == "train_loss" else 1)) for line in history if name in line
        ]
        places = [
            f"{_MARGIN + (x - 1) / max(1, last - 1) * (_WIDTH - 2 * _MARGIN):.1f},"
            f"{_HEIGHT - _MARGIN - y * (_HEIGHT - 2 * _MARGIN):.1f}"
            for x, y in points
        ]
        if places:
            parts.append(f'<polyline points="{" ".join(places)}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
            label = name.replace("_", " ") + (f" / {top:.2f}" if name == "train_loss" else "")
            parts.append(f'<text x="{_MARGIN + 150 * row}" y="16" fill="{colour}" font-size="11">{label}</text>')
    floor = _HEIGHT - _MARGIN
    frame = f'<path d="M{_MARGIN} {_MARGIN}V{floor}H{_WIDTH - _MARGIN}" fill="none" stroke="#888888"/>'
    ends = f'<text x="{_MARGIN}" y="{floor + 16}" font-size="11" fill="#888888">epoch 1 to {last:g}</text>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif">'
        f"{frame}{ends}{''.join(parts)}</svg>\n"
    )


def say(text: str) -> None:
    """Say on standard error what comes next, so that nobody wonders during minutes of silence."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
