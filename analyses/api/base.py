"""What every view of the API shares: size before reading, then who, how often, and what is allowed."""

from typing import Any, cast

from django.conf import settings
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import ApiToken, User
from analyses.errors import ServiceError

# What a multipart body may hold beside the film.
FORM_ALLOWANCE_BYTES = 1024 * 1024


class OnlyJson(BaseContentNegotiation):
    """Answers are JSON or the file that the address names, whatever the Accept header says."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        sent = (request.content_type or "").split(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == sent), None)

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        return renderers[0], renderers[0].media_type


class ApiView(APIView):
    """Refuses what is too large before reading it, and counts a call before it judges the caller's rights."""

    http_method_names = ["get", "head", "post"]
    metadata_class = None
    content_negotiation_class = OnlyJson

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        self.format_kwarg = self.get_format_suffix(**kwargs)
        request.accepted_renderer, request.accepted_media_type = self.perform_content_negotiation(request)
        request.version, request.versioning_scheme = None, None
        if _announced_bytes(request) > settings.MAX_UPLOAD_BYTES + FORM_ALLOWANCE_BYTES:
            limit_mib = settings.MAX_UPLOAD_BYTES // 1024**2
            raise ServiceError("too_large", f"A film can have at most {limit_mib} MiB. Send a smaller one.", status=413)
        self.perform_authentication(request)
        self.check_throttles(request)
        self.check_permissions(request)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Response:
        """Answers name patients: nobody between here and the caller keeps them."""
        response = super().finalize_response(request, response, *args, **kwargs)
        response["Cache-Control"] = "private, no-store"
        return response

    @property
    def caller(self) -> User:
        """Who calls; the permission class has let nobody else through."""
        return cast(User, self.request.user)

    @property
    def token(self) -> ApiToken | None:
        """The token that the call came with; None for a signed-in person."""
        return cast("ApiToken | None", self.request.auth)


def _announced_bytes(request: Request) -> int:
    try:
        return int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return 0
