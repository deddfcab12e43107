"""`python -m inference`: judge files, or run the laboratory, without the portal."""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from inference.acceptance.command import add_accept
from inference.errors import InferenceError
from inference.imaging.decode import decode_bytes
from inference.lab.commands import add_commands
from inference.prediction import Prediction
from inference.predictor import Predictor


def answer_of(data: bytes, prediction: Prediction) -> dict[str, Any]:
    """Return what is printed of one prediction: everything but the pixels of the saliency map."""
    answer = asdict(prediction)
    answer["saliency"] = None if prediction.saliency is None else {"cells": list(prediction.saliency.shape)}
    return {"input_sha256": hashlib.sha256(data).hexdigest(), **answer}


def _judge(predictor: Predictor, path: Path) -> dict[str, Any]:
    try:
        data = path.read_bytes()
    except OSError as error:
        return {"error": {"code": "no_file", "message": f"The file cannot be read: {error.strerror}."}}
    try:
        return answer_of(data, predictor.predict(decode_bytes(data).grey))
    except InferenceError as error:
        return {
            "input_sha256": hashlib.sha256(data).hexdigest(),
            "error": {"code": error.code, "message": error.message},
        }


def _sentence(answer: dict[str, Any]) -> str:
    if "error" in answer:
        return f"{answer['error']['code']}: {answer['error']['message']}"
    if answer["probabilities"] is None:
        return f"not analysable: {answer['gate']['reason_code']}"
    shares = ", ".join(f"{name} {value:.3f}" for name, value in answer["probabilities"].items())
    why = f" because {', '.join(answer['withheld_reasons'])}" if answer["withheld_reasons"] else ""
    return f"{answer['outcome']}{why} ({shares})"


def _predict(options: argparse.Namespace) -> int:
    predictor = Predictor.load(options.weights)
    answers = [{"file": str(path), **_judge(predictor, path)} for path in options.files]
    if options.json:
        print(json.dumps(answers, indent=1))
    else:
        for answer in answers:
            print(f"{answer['file']}: {_sentence(answer)}")
    return 1 if any("error" in answer for answer in answers) else 0


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of every command; the laboratory adds its own."""
    parser = argparse.ArgumentParser(prog="python -m inference", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    predict = commands.add_parser("predict", help="analyse image files with the shipped model")
    predict.add_argument("files", type=Path, nargs="+", metavar="FILE")
    predict.add_argument("--json", action="store_true", help="print a list of answers as JSON")
    predict.add_argument("--weights", type=Path, help="folder with weights and card (default: the shipped model)")
    predict.set_defaults(run=_predict)
    add_accept(commands)
    add_commands(commands)
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit status: 0 done, 1 a file failed, 2 nothing could be done."""
    options = build_parser().parse_args(arguments)
    try:
        return options.run(options)
    except InferenceError as error:
        print(f"{error.code}: {error.message}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
