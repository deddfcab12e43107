"""Who is calling: a machine by its token, or a person who is signed in to the pages."""

from dataclasses import replace
from typing import TYPE_CHECKING

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework import authentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.request import Request

from accounts import audit, services
from accounts.models import ApiToken, User

if TYPE_CHECKING:  # The framework's views import this module, which the settings name, while they are made.
    from drf_spectacular.openapi import AutoSchema

KEYWORD = "Token"
REFUSED = "The token is invalid: unknown, expired or revoked. Create a new token on the account page."


class TokenAuthentication(authentication.BaseAuthentication):
    """``Authorization: Token bs_...``; ``request.auth`` becomes the ApiToken."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        words = request.headers.get("Authorization", "").split()
        if not words or words[0].lower() != KEYWORD.lower():
            return None
        token = services.authenticate_token(words[1]) if len(words) == 2 else None
        if token is None:
            raise AuthenticationFailed(REFUSED, code="invalid_token")
        audit.request_context.set(replace(audit.request_context.get(), token=token))
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return f'{KEYWORD} realm="BoneScan API"'


class SessionAuthentication(authentication.SessionAuthentication):
    """A signed-in person, as the interactive documentation uses it; a write needs the CSRF header."""

    def enforce_csrf(self, request: Request) -> None:
        try:
            super().enforce_csrf(request)
        except PermissionDenied as error:
            raise PermissionDenied(
                "A write request with a signed-in session requires the X-CSRFToken header. Programs "
                "use a token instead.",
                code="csrf_failed",
            ) from error


class TokenScheme(OpenApiAuthenticationExtension):
    """How the schema describes the token."""

    target_class = TokenAuthentication
    name = "Token"

    def get_security_definition(self, auto_schema: "AutoSchema") -> dict[str, str]:
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": f"The word `{KEYWORD}`, a blank and the token: `{KEYWORD} bs_...`. "
            "Create one on your account page or with `manage.py create_api_token`.",
        }


class SessionScheme(OpenApiAuthenticationExtension):
    """How the schema describes a signed-in session."""

    target_class = SessionAuthentication
    name = "Session"

    def get_security_definition(self, auto_schema: "AutoSchema") -> dict[str, str]:
        return {
            "type": "apiKey",
            "in": "cookie",
            "name": "sessionid",
            "description": "A user signed in to the pages. Write requests also require the header `X-CSRFToken`.",
        }
