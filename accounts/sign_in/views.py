"""allauth's pages that behave differently here."""

from typing import Any

from allauth.account.views import PasswordResetDoneView, PasswordResetView
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.decorators import method_decorator

from accounts.mail import mail_is_sent


@method_decorator(login_not_required, name="dispatch")
class PasswordReset(PasswordResetView):
    """Ask for a link by e-mail; where none is sent, the page says whom to ask, whatever is posted to it."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not mail_is_sent():
            return render(request, "account/password_reset_by_administrator.html")
        answer: HttpResponse = super().dispatch(request, *args, **kwargs)
        return answer


@method_decorator(login_not_required, name="dispatch")
class PasswordResetDone(PasswordResetDoneView):
    """A link is on its way, unless no e-mail is sent here."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not mail_is_sent():
            return redirect("account_reset_password")
        answer: HttpResponse = super().dispatch(request, *args, **kwargs)
        return answer
