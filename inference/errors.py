"""The one family of errors that leaves this package: a code, a sentence that says what to do, whether to try again."""

from __future__ import annotations


class InferenceError(Exception):
    """A refusal or fault: a `code` for machines, a `message` for people; neither holds patient data or file names."""

    def __init__(self, code: str, message: str, *, retriable: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.retriable = retriable


class DecodeError(InferenceError):
    """The uploaded bytes could not, or by policy may not, be turned into a canonical image."""


class WeightsError(InferenceError):
    """The installed weights or their card cannot be trusted: missing, damaged, or not a matching pair."""


class DataError(InferenceError):
    """A data folder of the laboratory is not usable; the message names the file and the row."""
