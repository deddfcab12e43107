"""What can go wrong when people, departments and tokens are managed."""


class Refused(Exception):
    """A refusal by a service.

    Attributes:
        code: stable word for programs.
        message: sentence that says what to do.
        fields: messages by field name, for forms.
    """

    def __init__(self, code: str, message: str, *, fields: dict[str, list[str]] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.fields = fields or {}
