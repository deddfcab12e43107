"""What can go wrong in the clinical record, as values with a code and a sentence that says what to do."""


class ServiceError(Exception):
    """A refusal by a service.

    Attributes:
        code: stable word for programs.
        message: sentence for people; never holds patient data.
        status: the HTTP status that pages and API answer with.
        fields: messages by field name, for forms.
    """

    status = 400

    def __init__(
        self, code: str, message: str, *, status: int | None = None, fields: dict[str, list[str]] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status if status is not None else self.status
        self.fields = fields or {}


class Invalid(ServiceError):
    """The input breaks a rule (400)."""

    status = 400


def invalid_field(name: str, message: str) -> Invalid:
    """The refusal of one field, ``bad_field``."""
    return Invalid("bad_field", message, fields={name: [message]})


def invalid_fields(problems: dict[str, list[str]], message: str = "") -> Invalid:
    """The refusal of several fields, ``bad_field``; without a message, whose sentences stand one after the other."""
    said = message or " ".join(sentence for sentences in problems.values() for sentence in sentences)
    return Invalid("bad_field", said, fields=problems)


class Conflict(ServiceError):
    """The object's state does not allow this now (409)."""

    status = 409


class Unprocessable(ServiceError):
    """Understood, but contradicts an earlier request (422)."""

    status = 422


class StorageFull(ServiceError):
    """Nothing was stored because there is no room (507)."""

    status = 507


class LeaseLost(Exception):
    """The worker no longer owns the row it works on: cancelled, taken over or finished elsewhere."""
