"""The own account: name, password, API tokens."""

from datetime import datetime, time
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone, translation
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import languages, services, sessions
from accounts.errors import Refused
from accounts.forms import NameForm, OwnNameForm, TokenForm
from accounts.gate import in_scope
from accounts.models import ApiToken, User
from accounts.permissions import Action, may, require, requires
from accounts.sign_in.middleware import language_of
from accounts.views.caller import caller, show_refusal


@require_http_methods(["GET", "HEAD", "POST"])
def profile(request: HttpRequest) -> HttpResponse:
    """Who one is here, and the name that reports and trails show."""
    user = caller(request)
    initial = {"title": user.title, "name": user.name, "language": user.language}
    form = NameForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid() and _renamed(form, user):
        languages.choose_for_user(user, language=form.cleaned_data["language"], by=user)
        with translation.override(language_of(request)):
            messages.success(request, translation.gettext("Saved."))
        return redirect("accounts:profile")
    context = {"form": form, "may_have_tokens": may(user, Action.OWN_TOKENS), "roles": role_names(user)}
    return render(request, "accounts/profile.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def own_name(request: HttpRequest) -> HttpResponse:
    """Ask a doctor for title and full name, once, at the first sign-in; nothing waits for the answer."""
    user = caller(request)
    back_to = _inside(request, request.GET.get("next", ""))
    form = OwnNameForm(request.POST or None, initial={"title": user.title, "name": user.name})
    if request.method == "POST" and form.is_valid() and _renamed(form, user):
        return redirect(back_to)
    return render(request, "accounts/own_name.html", {"form": form, "back_to": back_to})


def _inside(request: HttpRequest, url: str) -> str:
    """An address of this portal; the start page in the place of another one."""
    hosts = {request.get_host()}
    # What does not begin at the root would be taken for the name of an address.
    inside = url.startswith("/") and url_has_allowed_host_and_scheme(url, hosts, request.is_secure())
    return url if inside else "/"


def _renamed(form: NameForm | OwnNameForm, user: User) -> bool:
    """Whether the name in a form was taken; otherwise the form says why not."""
    try:
        services.rename(user, name=form.cleaned_data["name"], title=form.cleaned_data["title"], by=user)
    except Refused as refusal:
        show_refusal(form, refusal)
        return False
    return True


@require_safe
def session_left(request: HttpRequest) -> JsonResponse:
    """How many seconds the session of this user still lasts; asking keeps it no longer alive."""
    user = caller(request)
    return JsonResponse({"user": str(user.pk), "left_s": sessions.left_s(request.session)})


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@requires(Action.OWN_TOKENS)
def tokens(request: HttpRequest) -> HttpResponse:
    """The own tokens; a new one is shown in the answer to the form and nowhere else."""
    user = caller(request)
    form = TokenForm(request.POST or None)
    plain = make_token(form, user, by=user) if request.method == "POST" else None
    if plain:
        form = TokenForm()
    context = {"form": form, "plain": plain, "tokens": user.api_tokens.select_related("user"), "owner": None}
    return render(request, "accounts/tokens.html", context)


@require_POST
def token_revoke(request: HttpRequest, token_id: UUID) -> HttpResponse:
    """End one of the own tokens, or anybody's for an administrator."""
    user = caller(request)
    token = in_scope(request, ApiToken.objects.all(), token_id)
    own = token.user_id == user.pk
    require(user, Action.OWN_TOKENS if own and may(user, Action.OWN_TOKENS) else Action.MANAGE_TOKENS)
    services.revoke_token(token, by=user)
    messages.success(request, translation.gettext("Token %(prefix)s… revoked.") % {"prefix": token.prefix})
    return redirect("accounts:tokens") if own else redirect("accounts:person", token.user_id)


def make_token(form: TokenForm, owner: User, *, by: User) -> str | None:
    """The plain text of a new token, or None with the reason in the form."""
    if not form.is_valid():
        return None
    last_day = form.cleaned_data["expires_on"]
    expires_at = timezone.make_aware(datetime.combine(last_day, time(23, 59, 59)))
    try:
        return services.create_token(owner, form.cleaned_data["name"], expires_at, by=by)[1]
    except Refused as refusal:
        show_refusal(form, refusal)
        return None


def role_names(user: User) -> list[str]:
    """What the roles of a user are called, in alphabetical order."""
    return sorted(row.get_role_display() for row in user.role_assignments.all())
