"""How much of the bare model's rate the whole portal reaches, both measured in one run.

*bare*: gate, networks and saliency on decoded 512-px arrays in one process with one thread. *whole*: 512-px JPEGs of
distinct patients posted through the API until their results are stored, one web and one worker process. Rounds of both
alternate, because the machines are noisy. Then one 3000x2500 film on the idle system.
"""

import argparse
import json
import os
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from bench.client import Client
from bench.films import film_array, film_jpeg
from bench.harness import Portal, portal

TICK = os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int) -> float:
    """User and system seconds of a process, its ended children and its living descendants."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except FileNotFoundError:
        return 0.0
    own = sum(int(fields[index]) for index in (11, 12, 13, 14)) / TICK
    living = Path(f"/proc/{pid}/task/{pid}/children")
    return own + sum(cpu_s(int(child)) for child in living.read_text().split())


def bare_round(predictor: Any, count: int, first: int) -> tuple[float, float]:
    """Rate (images a second) and CPU ms per image of the model alone."""
    arrays = [film_array(first + number) for number in range(count)]
    begin, cpu = time.perf_counter(), time.process_time()
    for array in arrays:
        predictor.predict(array)
    return count / (time.perf_counter() - begin), (time.process_time() - cpu) * 1000 / count


def forward_ms(predictor: Any, passes: int = 20) -> float:
    """Median CPU ms of one member's forward pass over one variant in f32 on one core."""
    import torch

    from inference.families.joint.model import image_of
    from inference.imaging.prepare import common_square

    image = image_of(common_square(film_array(0))).contiguous(memory_format=torch.channels_last)
    spent = []
    with torch.inference_mode():
        for _ in range(passes):
            begin = time.process_time()
            predictor.model.members[0](image)
            spent.append((time.process_time() - begin) * 1000)
    return statistics.median(spent[2:])


def forwards(predictor: Any) -> int:
    """Forward passes of a whole answer: every member over every view, and the gate."""
    return len(predictor.model.members) * predictor.model.views_count + 1


def whole_round(running: Portal, client: Client, count: int, first: int) -> tuple[float, float]:
    """Rate (images a second, first post to last stored result) and CPU ms per image of the portal's processes."""
    films = [(number, film_jpeg(number)) for number in range(first, first + count)]
    pids = [running.processes[name].pid for name in ("web", "worker")]
    wanted = client.count("succeeded") + count
    cpu = sum(cpu_s(pid) for pid in pids)
    begin = time.perf_counter()
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda film: client.post(film[1], patient_id=f"S-{film[0]:06d}"), films))
    # One cheap question now and then: asking after every film would be measured as the portal's work.
    while client.count("succeeded") < wanted:
        if time.perf_counter() - begin > 300:
            raise RuntimeError("the round did not end within 300 s")
        time.sleep(0.25)
    seconds = time.perf_counter() - begin
    spent = sum(cpu_s(pid) for pid in pids) - cpu
    for answer in answers:
        outcome = (client.get(answer.analysis_id).get("result") or {}).get("outcome")
        if outcome in (None, "not_analysable"):
            raise RuntimeError(f"a film was not judged: {answer}, {outcome}")
    return count / seconds, spent * 1000 / count


def one_large_film(client: Client, number: int) -> float:
    """Seconds from the start of the upload of a 3000x2500 film to its stored result, on the idle system."""
    film = film_jpeg(number, 3000, 2500)
    begin = time.perf_counter()
    answer = client.post(film, patient_id=f"L-{number}")
    state = client.wait(answer.analysis_id, seconds=60, pause=0.02)
    if state.get("status") != "succeeded":
        raise RuntimeError(f"the large film did not succeed: {state}")
    return time.perf_counter() - begin


def measure(rounds: int, count: int) -> dict[str, Any]:
    """Alternate rounds of bare and whole and return the medians and their ratio."""
    import torch

    from inference.predictor import Predictor

    torch.set_num_threads(1)
    predictor = Predictor.load()
    bare_round(predictor, 5, 900_000)
    bare, whole = [], []
    with portal() as running:
        running.passwords()
        client = Client(running.url, running.token())
        whole_round(running, client, 5, 800_000)
        for number in range(rounds):
            bare.append(bare_round(predictor, count, number * count))
            whole.append(whole_round(running, client, count, number * count))
        time.sleep(2)
        large = [one_large_film(client, 700_000 + number) for number in range(3)]
    ratios = [w[0] / b[0] for w, b in zip(whole, bare, strict=True)]
    return {
        "forward_ms_of_one_core": round(forward_ms(predictor), 1),
        "forwards_of_an_answer": forwards(predictor),
        "rounds": rounds,
        "images_per_round": count,
        "bare_images_per_s": round(statistics.median(rate for rate, _ in bare), 2),
        "bare_cpu_ms_per_image": round(statistics.median(cpu for _, cpu in bare), 1),
        "whole_images_per_s": round(statistics.median(rate for rate, _ in whole), 2),
        "whole_cpu_ms_per_image": round(statistics.median(cpu for _, cpu in whole), 1),
        "ratio_median": round(statistics.median(ratios), 3),
        "ratio_min": round(min(ratios), 3),
        "ratio_max": round(max(ratios), 3),
        "platform_cpu_ms_per_image": round(statistics.median(w[1] - b[1] for w, b in zip(whole, bare, strict=True)), 1),
        "film_3000x2500_s": [round(seconds, 2) for seconds in large],
    }


def main() -> int:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=60, help="images a round")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    figures = measure(options.rounds, options.count)
    print(json.dumps(figures, indent=1))
    print(f"whole / bare = {figures['ratio_median']:.0%}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
