"""How soon the viewer shows a film: from the call of its address to the first painted frame, 3000x2500 at 12 bits.

*painted* is the overview on the screen (every third pixel, which is what fits there), *complete* every pixel.

Real processes and the system's Chromium on this machine. Every run opens another film, so that nothing of it lies in
any cache; *warm* runs have the page's scripts and fonts in the browser's cache, *cold* ones a new browser profile.
"""

import argparse
import io
import json
import os
import shutil
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, sync_playwright
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from bench.client import Client
from bench.films import rg3_grey
from bench.harness import Portal, portal

HEIGHT, WIDTH, LEVELS = 3000, 2500, 4096
DOCTOR = "doctor@example.org"
COMPLETE = "() => performance.getEntriesByName('film-painted').length === 2"
TIMES = """() => {
  const got = (end) => performance.getEntriesByType("resource").find((entry) => entry.name.endsWith(end));
  const painted = performance.getEntriesByName("film-painted");
  return {
    page_ms: performance.getEntriesByType("navigation")[0].responseEnd,
    overview_ms: got("part=overview").responseEnd,
    overview_bytes: got("part=overview").encodedBodySize,
    painted_ms: painted[0].startTime,
    values_bytes: got("/values.bin").encodedBodySize,
    complete_ms: painted[1].startTime,
  };
}"""


def film_dicom(number: int) -> bytes:
    """A 12-bit film of 3000x2500 with the noise of a detector, another one for each number."""
    grey = np.asarray(rg3_grey().resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC), np.float32) * 15
    noise = np.random.default_rng(number).normal(0, 8, grey.shape)
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.1.1", generate_uid()
    ds.StudyInstanceUID, ds.Modality, ds.PatientID = generate_uid(), "DX", f"V-{number:04d}"
    ds.Rows, ds.Columns, ds.SamplesPerPixel, ds.PhotometricInterpretation = HEIGHT, WIDTH, 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.WindowCenter, ds.WindowWidth = LEVELS // 2, LEVELS
    ds.PixelData = (grey + noise).clip(0, LEVELS - 1).astype("<u2").tobytes()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    buffer = io.BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def cases(running: Portal, count: int) -> list[str]:
    """Post the films and return the viewer's address of each case once all are judged."""
    client = Client(running.url, running.token())
    films = ((film_dicom(number), f"V-{number:04d}") for number in range(count))
    posted = [client.post_until_accepted(film, patient_id=patient_id) for film, patient_id in films]
    deadline = time.monotonic() + 300
    while client.count("succeeded") < count:
        if time.monotonic() > deadline:
            raise RuntimeError("the films were not judged in five minutes")
        time.sleep(1)
    judged = [client.get(answer.analysis_id) for answer in posted]
    return [f"{running.url}/cases/{answer['case']['id']}/viewer/" for answer in judged]


def signed_in(browser: Browser, running: Portal, password: str) -> BrowserContext:
    """A browser profile of its own, signed in."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.goto(f"{running.url}/accounts/login/")
    page.get_by_label("E-mail").fill(DOCTOR)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda url: "/login/" not in url)
    page.close()
    return context


def opened(context: BrowserContext, url: str) -> dict[str, float]:
    """Open one case's viewer and return its times, all since the call of the address."""
    page = context.new_page()
    page.goto(url, wait_until="commit")
    page.wait_for_function(COMPLETE, timeout=30_000)
    times: dict[str, float] = page.evaluate(TIMES)
    page.close()
    return times


def summary(runs: list[dict[str, float]]) -> dict[str, Any]:
    """Median of each time, and the range of the painted one."""
    medians = {name: round(statistics.median(run[name] for run in runs)) for name in runs[0]}
    painted = [run["painted_ms"] for run in runs]
    return medians | {"painted_min_ms": round(min(painted)), "painted_max_ms": round(max(painted)), "runs": len(runs)}


def measure(runs: int) -> dict[str, Any]:
    """Warm and cold figures of ``runs`` films each."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    with portal(SESSION_IDLE_S="3600") as running, sync_playwright() as play:
        password = running.passwords()[DOCTOR]
        urls = cases(running, 2 * runs + 1)
        browser = play.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        context = signed_in(browser, running, password)
        opened(context, urls.pop())  # the server's first page, and the browser's
        warm = [opened(context, url) for url in urls[:runs]]
        context.close()
        cold = []
        for url in urls[runs:]:
            context = signed_in(browser, running, password)
            cold.append(opened(context, url))
            context.close()
        browser.close()
    load = [round(value, 1) for value in os.getloadavg()]
    return {"film": f"{HEIGHT}x{WIDTH}, 12 bits", "load_average": load, "warm": summary(warm), "cold": summary(cold)}


def main() -> int:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    figures = measure(options.runs)
    print(json.dumps(figures, indent=1))
    print(f"painted after {figures['warm']['painted_ms']} ms (median of {options.runs}), asked for 500 ms")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
