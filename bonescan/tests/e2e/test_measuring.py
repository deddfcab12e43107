"""Measuring in a real browser: a measurement stays on the film it was begun on, and nothing typed is lost."""

import itertools
import json

import numpy as np
import pytest
from playwright.sync_api import Page, Request, expect

from bench.films import film_jpeg
from bonescan.tests.e2e.conftest import SECOND_DOCTOR, FilmGate, Stage, sign_in_beside
from bonescan.tests.e2e.test_day import upload, wait_for_answer
from bonescan.tests.e2e.test_viewer import DOCTOR, open_viewer
from inference.tests.made_dicom import dicom

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(300)]
SEEDS = itertools.count(700)


@pytest.fixture
def viewer(stage: Stage, visit):
    """A function that opens the viewer on a new case of so many films, behind a film gate if one is given."""

    def enter(films: int = 1, gate: FilmGate | None = None) -> Page:
        page, paths = visit(DOCTOR), []
        if gate is not None:
            gate.watch(page)
        for _ in range(films):
            seed = next(SEEDS)
            paths.append(stage.folder / f"measured-{seed}.jpg")
            paths[-1].write_bytes(film_jpeg(seed, 700, 900))
        upload(page, *paths)
        wait_for_answer(page)
        open_viewer(page)
        return page

    return enter


def sent(page: Page) -> list[Request]:
    """The measurements that the page sends from now on."""
    found: list[Request] = []
    page.on("request", lambda request: found.append(request) if request.url.endswith("/annotations/add/") else None)
    return found


def painted(page: Page, panes: int = 1) -> None:
    expect(page.locator(".pane .stage[data-painted]")).to_have_count(panes)


def film_of(page: Page, pane: int = 0) -> str:
    return page.evaluate("(pane) => window.BoneScan.viewer.panes[pane].film.analysis_id", pane)


def marks(page: Page, pane: int = 0):
    return page.locator(".pane").nth(pane).locator("[data-marks] > *")


def press_at(page: Page, x: int, y: int, pane: int = 0) -> None:
    page.locator(".pane .stage").nth(pane).click(position={"x": x, "y": y})


@pytest.mark.parametrize("by", ["key", "list"])
def test_a_measurement_begun_on_one_film_does_not_end_on_the_next(viewer, by):
    page = viewer(2)
    requests = sent(page)
    page.keyboard.press("l")
    press_at(page, 300, 300)
    expect(marks(page)).not_to_have_count(0)
    first = film_of(page)
    if by == "key":
        page.keyboard.press("n")
    else:
        page.locator("[data-film-choice]").select_option(index=1)
    painted(page)
    second = film_of(page)
    assert second != first
    expect(marks(page)).to_have_count(0)
    press_at(page, 360, 320)
    expect(page.locator("[data-marks] .marks-cross")).to_have_count(1)
    assert requests == []
    with page.expect_response("**/annotations/add/"):
        press_at(page, 420, 320)
    assert [request.url.split("/")[-4] for request in requests] == [second]


def test_the_cross_of_the_keys_stays_on_its_film_and_on_its_pane(viewer):
    page = viewer(2)
    page.keyboard.press("c")
    painted(page, 2)
    requests = sent(page)
    page.locator(".pane .stage").first.focus()
    page.keyboard.press("d")
    for _ in range(3):
        page.keyboard.press("Enter")
        page.keyboard.press("Shift+ArrowRight")
    expect(marks(page, 0)).not_to_have_count(0)
    expect(marks(page, 1)).to_have_count(0)
    page.keyboard.press("t")
    expect(page.locator(".pane .stage").nth(1)).to_be_focused()
    page.keyboard.press("ArrowDown")  # the cross begins in the middle of the other pane
    expect(marks(page, 1)).to_have_count(2)
    at, centre, below = page.evaluate(
        """() => {
          const { measuring, panes } = window.BoneScan.viewer;
          return [measuring.cross[0], panes[1].centre[0], measuring.cross[1] - panes[1].centre[1]];
        }"""
    )
    assert at == pytest.approx(centre)
    assert below > 0
    with page.expect_response("**/annotations/add/"):
        page.keyboard.press("Space")  # closes the outline on the film where it was drawn
    assert requests[0].url.split("/")[-4] == film_of(page, 0)
    assert len(json.loads(requests[0].post_data or "{}")["points"]) == 3


def test_marks_of_a_film_are_not_shown_under_another_one_that_cannot_be_loaded(viewer):
    gate = FilmGate()
    page = viewer(2, gate)
    first = film_of(page)
    gate.refuse(lambda url: f"/films/{first}/" not in url)
    page.keyboard.press("l")
    press_at(page, 300, 300)
    with page.expect_response("**/annotations/add/"):
        press_at(page, 380, 300)
    expect(page.locator(".pane .marks-text")).to_have_count(1)
    page.keyboard.press("n")
    page.wait_for_function("(film) => window.BoneScan.viewer.pane.film.analysis_id !== film", arg=first)
    expect(page.get_by_text("The film cannot be read at the moment. Try again in a minute.")).to_be_visible()
    expect(marks(page)).to_have_count(0)


def test_every_pane_that_shows_the_film_shows_its_measurements(viewer):
    page = viewer(2)
    page.keyboard.press("c")
    painted(page, 2)
    page.locator("[data-film-choice]").nth(1).select_option(index=0)
    painted(page, 2)
    page.keyboard.press("Escape")
    page.locator(".pane .stage").first.focus()
    page.keyboard.press("l")
    press_at(page, 150, 300)
    press_at(page, 250, 300)
    expect(page.locator(".pane .marks-text")).to_have_count(2)
    page.get_by_role("button", name="Withdraw").click()
    expect(page.locator(".pane .marks-text")).to_have_count(0)


# A browser whose screen is only pretended does not tell of the change by itself.
KEEP_MEDIA = """() => {
  const real = window.matchMedia;
  window.kept = [];
  window.matchMedia = (query) => {
    window.kept.push(real.call(window, query));
    return window.kept.at(-1);
  };
}"""


def test_places_on_the_film_stay_right_on_a_screen_with_other_pixels(viewer):
    page = viewer()
    page.add_init_script(f"({KEEP_MEDIA})()")
    page.reload()
    painted(page)
    corners = """() => {
      const [scene, pixels] = [document.querySelector("[data-scene]"), document.querySelector("[data-pixels]")];
      const drawn = scene.getScreenCTM().e - scene.ownerSVGElement.getScreenCTM().e;
      return [window.BoneScan.viewer.pane.toScreen([0, 0])[0], drawn, pixels.width];
    }"""
    placed, drawn, pixels = page.evaluate(corners)
    assert placed == pytest.approx(drawn)
    size = page.viewport_size
    assert size is not None
    screen = page.context.new_cdp_session(page)
    screen.send("Emulation.setDeviceMetricsOverride", {**size, "deviceScaleFactor": 2, "mobile": False})
    page.wait_for_function("() => window.devicePixelRatio === 2")
    assert page.evaluate(corners) == [pytest.approx(placed), pytest.approx(drawn), pixels]
    page.evaluate("() => window.kept.forEach((list) => list.dispatchEvent(new Event('change')))")
    assert page.evaluate(corners) == [pytest.approx(placed, abs=1), pytest.approx(drawn, abs=1), 2 * pixels]
    assert page.evaluate("() => window.kept.at(-1).media") == "(resolution: 2dppx)"


def fingers(page: Page, *steps: tuple[str, int, int, int]) -> None:
    """Touches on the stage: (what, which finger, x, y), one after another."""
    page.evaluate(
        """(steps) => {
          const stage = document.querySelector(".pane .stage");
          const box = stage.getBoundingClientRect();
          stage.setPointerCapture = () => {};
          for (const [what, pointerId, x, y] of steps) stage.dispatchEvent(new PointerEvent(`pointer${what}`, {
            pointerId, pointerType: "touch", bubbles: true, buttons: 1, clientX: box.left + x, clientY: box.top + y,
          }));
        }""",
        [list(step) for step in steps],
    )


def tap(page: Page, x: int, y: int) -> None:
    fingers(page, ("down", 11, x, y), ("up", 11, x, y))


def pinch(page: Page) -> None:
    fingers(
        page,
        *(("down", 11, 300, 300), ("move", 11, 320, 300), ("down", 12, 400, 300), ("move", 12, 440, 300)),
        *(("up", 11, 320, 300), ("up", 12, 440, 300)),
    )


@pytest.mark.parametrize(("key", "placed"), [("l", 1), ("a", 1), ("a", 2)])
def test_a_pinch_neither_measures_nor_takes_away_what_was_placed(viewer, key, placed):
    page = viewer()
    requests = sent(page)
    page.keyboard.press(key)
    for step in range(placed):
        tap(page, 250, 200 + 100 * step)
    points = "() => window.BoneScan.viewer.measuring.points"
    before, scale = page.evaluate(points), page.evaluate("() => window.BoneScan.viewer.pane.scale")
    pinch(page)
    assert page.evaluate("() => window.BoneScan.viewer.pane.scale") > scale
    assert page.evaluate(points) == before
    assert len(before) == placed
    assert requests == []


def test_the_last_point_can_be_dragged_to_its_place(viewer):
    page = viewer()
    page.keyboard.press("l")
    tap(page, 300, 300)
    meant = page.evaluate(
        "() => { const p = window.BoneScan.viewer.pane; return p.toFilm([500, 300])[0] / p.film.width }"
    )
    with page.expect_request("**/annotations/add/") as request:
        fingers(page, ("down", 11, 400, 300), ("move", 11, 450, 300), ("move", 11, 500, 300), ("up", 11, 500, 300))
    points = json.loads(request.value.post_data or "{}")["points"]
    assert len(points) == 2
    assert points[1][0] == pytest.approx(meant)


def test_a_turn_and_an_inversion_in_one_frame_are_both_painted(viewer):
    page = viewer()
    first, last = page.evaluate(
        """async () => {
          const { pane } = window.BoneScan.viewer;
          const frames = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
          const press = (key) => pane.stage.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
          await frames();
          const first = pane.pixels.data[0];
          press("r");
          press("i");
          await frames();
          return [first, pane.pixels.data[0]];
        }"""
    )
    assert last == 255 - first


def test_a_reset_while_a_large_film_is_completed_leaves_it_in_the_middle(stage: Stage, visit):
    page, gate = visit(DOCTOR), FilmGate()
    gate.watch(page)
    film = np.random.default_rng(5).integers(0, 4096, (1700, 1300)).astype(np.uint16)
    path = stage.folder / "measured-large.dcm"
    path.write_bytes(dicom(film, PatientID="51-large"))
    upload(page, path)
    wait_for_answer(page)
    gate.hold(lambda url: url.endswith("/values.bin"))
    page.goto(page.url.split("?")[0] + "viewer/")
    page.wait_for_function("() => window.BoneScan.viewer.pane.loaded")
    page.keyboard.press("x")
    assert page.evaluate("() => { const p = window.BoneScan.viewer.pane; return [p.centre, p.size()] }") == [
        [650, 850],
        [1300, 1700],
    ]
    gate.open()
    painted(page)


def test_linked_panes_say_their_own_zoom(viewer):
    page = viewer(2)
    page.keyboard.press("c")
    painted(page, 2)
    zooms = page.locator(".pane [data-zoom-text]")
    before = zooms.nth(1).inner_text()
    page.keyboard.press("+")
    expect(zooms.nth(1)).not_to_have_text(before)
    said = "() => window.BoneScan.viewer.panes.map((pane) => `${Math.round(pane.scale * 100)} %`)"
    assert zooms.all_inner_texts() == page.evaluate(said)
    page.set_viewport_size({"width": 1200, "height": 640})
    page.keyboard.press("0")
    page.set_viewport_size({"width": 1200, "height": 800})
    page.wait_for_function(f"() => ({said})()[0] === document.querySelector('.pane [data-zoom-text]').textContent")
    assert zooms.all_inner_texts() == page.evaluate(said)


def test_measuring_goes_on_once_somebody_signed_in_again_in_another_tab(viewer, stage: Stage):
    page = viewer()
    page.keyboard.press("l")
    ended = page.get_by_role("heading", name="Your session has ended")
    out = page.get_by_text("Not saved: you are signed out. Sign in using another tab, then measure again.")
    page.context.clear_cookies(name="sessionid")
    measure(page, 300)
    expect(ended).to_be_visible()
    # Somebody else sees nothing of this doctor's page, and does not measure on it.
    sign_in_beside(page, SECOND_DOCTOR, stage.passwords[SECOND_DOCTOR]).close()
    page.wait_for_timeout(500)
    expect(ended).to_be_visible()
    page.context.clear_cookies(name="sessionid")
    sign_in_beside(page, DOCTOR, stage.passwords[DOCTOR]).close()
    expect(ended).to_be_hidden()
    expect(out).to_be_visible()
    measure(page, 400)
    expect(page.locator("[data-measurements] li")).to_have_count(1)


def measure(page: Page, y: int) -> None:
    with page.expect_response("**/annotations/add/"):
        press_at(page, 300, y)
        press_at(page, 400, y)


def test_a_late_answer_takes_neither_what_is_typed_nor_the_focus(viewer):
    page, held = viewer(), []
    label = page.get_by_label("Label of the next measurement")
    page.route("**/annotations/add/", lambda route: held.append(route))
    label.fill("first")
    page.keyboard.press("Escape")
    page.locator(".pane .stage").focus()
    page.keyboard.press("l")
    with page.expect_request("**/annotations/add/") as request:
        press_at(page, 300, 300)
        press_at(page, 400, 300)
    assert json.loads(request.value.post_data or "{}")["label"] == "first"
    expect(label).to_have_value("")
    label.press_sequentially("second")
    held.pop().continue_()
    expect(page.locator("[data-measurements] li")).to_contain_text("first")
    expect(label).to_have_value("second")
    expect(label).to_be_focused()
    with page.expect_request("**/annotations/add/"):
        press_at(page, 300, 350)
        press_at(page, 400, 350)
    held.pop().abort()
    expect(page.get_by_text("Not saved: the server cannot be reached.")).to_be_visible()
    expect(label).to_have_value("second")
    page.route("**/withdraw/", lambda route: held.append(route))
    with page.expect_request("**/withdraw/"):
        page.get_by_role("button", name="Withdraw").click()
    label.focus()
    held.pop().continue_()
    expect(page.get_by_text("Measurement withdrawn. It is kept in the record.")).to_be_visible()
    expect(label).to_be_focused()


def test_a_late_list_leaves_the_focus_on_its_button_and_a_withdrawn_one_gives_it_to_the_film(viewer):
    page = viewer()
    page.keyboard.press("l")
    measure(page, 300)
    measure(page, 350)
    buttons = page.get_by_role("button", name="Withdraw")
    expect(buttons).to_have_count(2)
    buttons.first.focus()
    page.evaluate("() => window.BoneScan.viewer.refresh()")
    expect(buttons.first).to_be_focused()
    page.keyboard.press("Enter")
    expect(buttons).to_have_count(1)
    expect(page.locator(".pane .stage")).to_be_focused()
