"""Small things that every page here needs: the signed-in user, and refusals shown in a form."""

from typing import cast

from django import forms
from django.http import HttpRequest

from accounts.errors import Refused
from accounts.models import User


def caller(request: HttpRequest) -> User:
    """The signed-in user (SignInRequiredMiddleware lets nobody else through)."""
    return cast(User, request.user)


def show_refusal(form: forms.Form, refusal: Refused) -> None:
    """Put a service's refusal at the fields it is about, or on top of the form."""
    known = {name: texts for name, texts in refusal.fields.items() if name in form.fields}
    for name, texts in known.items():
        form.add_error(name, texts)
    if not known:
        form.add_error(None, refusal.message)
