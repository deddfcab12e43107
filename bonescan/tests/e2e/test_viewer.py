"""The viewer in a real browser: its greys are those of the standard, and everything works by keyboard."""

import re
from pathlib import Path

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from bench.films import film_jpeg
from bonescan.tests.e2e.conftest import FilmGate, Stage
from bonescan.tests.e2e.test_day import upload, wait_for_answer
from inference.tests.made_dicom import dicom

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(300)]
DOCTOR = "doctor@example.org"
ROWS, COLUMNS = 420, 520
CENTER, WIDTH = 9000.0, 14000.0
READ_CANVAS = """() => {
  const canvas = document.querySelector("[data-pixels]");
  const pane = window.BoneScan.viewer.pane;
  const [left, top] = [pane.matrix().e, pane.matrix().f];
  const { data } = canvas.getContext("2d").getImageData(left, top, pane.loaded.columns, pane.loaded.rows);
  return { scale: pane.scale, greys: Array.from(data).filter((_, at) => at % 4 === 0) };
}"""


def linear_window(values: np.ndarray, center: float, width: float) -> np.ndarray:
    """DICOM PS3.3, C.11.2.1.2.1, written down as the standard does, for an output of 0 to 255."""
    out = np.empty(values.shape)
    for index, x in np.ndenumerate(values):
        if x <= center - 0.5 - (width - 1) / 2:
            out[index] = 0
        elif x > center - 0.5 + (width - 1) / 2:
            out[index] = 255
        else:
            out[index] = ((x - (center - 0.5)) / (width - 1) + 0.5) * 255
    return out


def deep_film() -> np.ndarray:
    """A 16-bit film whose neighbours differ, so that a shift by one pixel would be seen."""
    y, x = np.mgrid[0:ROWS, 0:COLUMNS]
    wave = 8000 + 6500 * np.sin(x / 37.0) * np.cos(y / 23.0)
    return (wave + np.random.default_rng(7).integers(0, 2500, wave.shape)).clip(0, 65535).astype(np.uint16)


def film_file(folder: Path, record: str, photometric: str) -> Path:
    path = folder / f"{record}.dcm"
    spacing = {"PixelSpacing": [0.2, 0.2], "PixelSpacingCalibrationType": "FIDUCIAL"}
    window = {"WindowCenter": CENTER, "WindowWidth": WIDTH, "VOILUTFunction": "LINEAR"}
    data = dicom(deep_film(), PatientID=record, PhotometricInterpretation=photometric, **window, **spacing)
    path.write_bytes(data)
    return path


def open_viewer(page: Page) -> None:
    """From the case page by its key, and wait for the film."""
    expect(page.locator("[data-case-stage][data-painted]")).to_be_visible()
    page.keyboard.press("v")
    page.wait_for_url(re.compile(r"/viewer/"))
    expect(page.locator(".pane .stage[data-painted]")).to_be_visible()
    expect(page.locator(".pane [data-state]")).to_be_hidden()


@pytest.fixture(params=["MONOCHROME2", "MONOCHROME1"])
def opened(request, stage: Stage, visit) -> tuple[Page, str]:
    page = visit(DOCTOR)
    upload(page, film_file(stage.folder, f"50-{request.param}", request.param))
    wait_for_answer(page)
    open_viewer(page)
    return page, request.param


def shown(page: Page) -> np.ndarray:
    """The canvas where the film lies, once the frames that were asked for are drawn."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    read = page.evaluate(READ_CANVAS)
    assert read["scale"] == 1
    return np.array(read["greys"], float).reshape(ROWS, COLUMNS)


def test_at_1_to_1_the_greys_are_those_of_the_standard_within_one_level(opened):
    page, photometric = opened
    page.keyboard.press("1")
    meant = linear_window(deep_film().astype(float), CENTER, WIDTH)
    if photometric == "MONOCHROME1":
        meant = 255 - meant
    assert meant.std() > 20, "the window must show something"
    assert np.abs(shown(page) - meant).max() <= 1
    page.keyboard.press("i")
    assert np.abs(shown(page) - (255 - meant)).max() <= 1
    page.keyboard.press("i")
    page.evaluate("() => window.BoneScan.viewer.pane.setWindow({ center: 7000, width: 900, function: 'LINEAR' })")
    narrow = linear_window(deep_film().astype(float), 7000, 900)
    assert np.abs(shown(page) - (255 - narrow if photometric == "MONOCHROME1" else narrow)).max() <= 1


def test_a_length_is_measured_by_keyboard_kept_and_shown_after_a_reload(opened):
    page, _ = opened
    page.keyboard.press("1")
    page.keyboard.press("l")
    page.keyboard.press("Enter")
    for _ in range(10):
        page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Enter")
    entry = page.locator("[data-measurements] li")
    expect(entry).to_contain_text("20.0 mm")
    expect(entry).to_contain_text(DOCTOR)
    page.keyboard.press("Escape")
    page.reload()
    expect(entry).to_contain_text("20.0 mm")
    entry.get_by_role("button", name="Withdraw").click()
    expect(page.get_by_text("No measurements on this film yet.")).to_be_visible()


def test_a_length_is_listed_though_the_list_of_before_comes_late(stage: Stage, visit):
    page, held = visit(DOCTOR), []
    upload(page, film_file(stage.folder, "50-late", "MONOCHROME2"))
    wait_for_answer(page)
    page.route("**/annotations/", lambda route: held.append((route, route.fetch())))
    open_viewer(page)
    for key in ("1", "l", "Enter", "Shift+ArrowRight"):
        page.keyboard.press(key)
    with page.expect_response("**/annotations/add/"):
        page.keyboard.press("Enter")
    for route, answer in held:
        route.fulfill(response=answer)
    expect(page.locator("[data-measurements] li")).to_have_count(1)
    expect(page.locator(".pane .marks-text")).to_have_text("1: 2.0 mm")


def test_the_film_is_turned_mirrored_windowed_and_reset_by_keys(stage: Stage, visit):
    page = visit(DOCTOR)
    # Bytes of its own: without a record number, a film that is known already is not filed twice.
    second = stage.folder / "50-keys.jpg"
    second.write_bytes(film_jpeg(50, 700, 900))
    upload(page, stage.dicom("50-keys"), second)
    wait_for_answer(page)
    open_viewer(page)
    state = "() => { const p = window.BoneScan.viewer.pane; return [p.turns, p.mirrored, p.inverted, p.preset] }"
    assert page.evaluate(state) == [0, False, False, 0]
    for key in "rhi]":
        page.keyboard.press(key)
    assert page.evaluate(state) == [3, True, True, 1]  # mirrored before the eye, a quarter turn goes the other way
    page.keyboard.press("x")
    assert page.evaluate(state) == [0, False, False, 0]
    expect(page.locator(".viewer-side [data-window-text]")).to_have_text("C 550 W 1024")
    page.keyboard.press("w")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".viewer-side [data-window-text]")).not_to_have_text("C 550 W 1024")
    page.keyboard.press("w")
    page.keyboard.press("c")
    expect(page.locator(".pane")).to_have_count(2)
    page.keyboard.press("+")
    zooms = "() => window.BoneScan.viewer.panes.map((pane) => pane.place.zoom)"
    page.wait_for_function("() => window.BoneScan.viewer.panes.every((pane) => pane.loaded)")
    page.keyboard.press("+")
    first, second = page.evaluate(zooms)
    assert first == pytest.approx(second)
    assert first > 1
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    close = "() => { document.querySelector('dialog[open]').close(); return document.activeElement.className; }"
    assert page.evaluate(close) == "stage", "the next key goes to the film at once"
    page.keyboard.press("?")
    page.keyboard.press("Escape")
    page.keyboard.press("q")
    page.wait_for_url(re.compile(r"/cases/[0-9a-f-]{36}/$"))


def test_two_fingers_zoom_and_one_moves(stage: Stage, visit):
    page = visit(DOCTOR)
    upload(page, stage.jpeg, record_number="50-touch")
    wait_for_answer(page)
    open_viewer(page)
    before = page.evaluate("() => window.BoneScan.viewer.pane.scale")
    page.evaluate(
        """() => {
          const stage = document.querySelector(".pane .stage");
          const box = stage.getBoundingClientRect();
          const finger = (type, id, x, y) => stage.dispatchEvent(new PointerEvent(type, {
            pointerId: id, pointerType: "touch", bubbles: true, buttons: 1,
            clientX: box.left + x, clientY: box.top + y,
          }));
          stage.setPointerCapture = () => {};
          finger("pointerdown", 11, 300, 300); finger("pointerdown", 12, 400, 300);
          finger("pointermove", 11, 250, 300); finger("pointermove", 12, 450, 300);
          finger("pointerup", 11, 250, 300); finger("pointerup", 12, 450, 300);
        }"""
    )
    assert page.evaluate("() => window.BoneScan.viewer.pane.scale") == pytest.approx(2 * before)


def test_a_film_that_cannot_be_loaded_says_so_and_is_tried_again(stage: Stage, visit):
    page, gate = visit(DOCTOR), FilmGate()
    gate.watch(page)
    upload(page, stage.dicom("50-broken"))
    wait_for_answer(page)
    gate.refuse(lambda url: True)
    page.goto(page.url.split("?")[0] + "viewer/")
    expect(page.get_by_text("The film cannot be read at the moment. Try again in a minute.")).to_be_visible()
    gate.open()
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(".pane .stage[data-painted]")).to_be_visible()


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_axe_finds_nothing_in_the_viewer(stage: Stage, visit, theme):
    page, found = visit(DOCTOR), []
    page.evaluate("(theme) => localStorage.setItem('bonescan-theme', theme)", theme)
    upload(page, stage.dicom(f"50-axe-{theme}"))
    wait_for_answer(page)
    open_viewer(page)
    expect(page.locator("html")).to_have_attribute("data-theme", theme)
    for keys in ("", "c", "?"):
        if keys:
            page.keyboard.press(keys)
        found += [violation["id"] for violation in Axe().run(page).response["violations"]]
    assert found == []
