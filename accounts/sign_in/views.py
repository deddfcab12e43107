"""allauth's pages that behave differently here."""

from typing import Any

from allauth.account.views import LogoutView, PasswordResetDoneView, PasswordResetView
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.decorators import method_decorator

from accounts.mail import mail_is_sent

# The browser forgets the pages that it keeps of this portal, those for Back among them. Not the cookies: they would be
# those of every portal of the domain. Not the storage: the theme is there, and static/js/ui.js takes what was typed out
# of it.
FORGET_PAGES = '"cache"'


class Logout(LogoutView):
    """Sign out, and leave nothing of a patient in the browser."""

    def post(self, *args: Any, **kwargs: Any) -> HttpResponse:
        answer: HttpResponse = super().post(*args, **kwargs)
        answer["Clear-Site-Data"] = FORGET_PAGES
        return answer


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
