"""People: who may sign in, with which roles, in which department."""

from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render  # noqa: TID251 (people are the administrator's)
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import services
from accounts.errors import Refused
from accounts.forms import NewPersonForm, PeopleFilterForm, PersonForm, TokenForm
from accounts.gate import record_refusal
from accounts.models import Role, User
from accounts.permissions import Action, requires
from accounts.views.account import make_token
from accounts.views.caller import caller, show_refusal
from accounts.views.named import people_named

PER_PAGE = 50


@require_safe
@requires(Action.MANAGE_PEOPLE)
def people(request: HttpRequest) -> HttpResponse:
    """Every account, found by e-mail, name, role, department and state."""
    form = PeopleFilterForm(request.GET)
    rows = User.objects.select_related("department").prefetch_related("role_assignments")
    rows = _filtered(rows, form.cleaned_data) if form.is_valid() else rows
    page = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    return render(
        request, "accounts/people.html", {"form": form, "page_obj": page, "filtered": any(request.GET.values())}
    )


def _filtered(rows: QuerySet[User], wanted: dict) -> QuerySet[User]:
    if wanted["q"]:
        rows = rows.filter(Q(email__icontains=wanted["q"]) | Q(pk__in=people_named(wanted["q"])))
    if wanted["role"]:
        rows = rows.filter(role_assignments__role=wanted["role"])
    if wanted["department"]:
        rows = rows.filter(department=wanted["department"])
    if wanted["state"]:
        rows = rows.filter(is_active=wanted["state"] == "active")
    return rows


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@requires(Action.MANAGE_PEOPLE)
def person_new(request: HttpRequest) -> HttpResponse:
    """Add an account and send its owner a link to set a password."""
    form = NewPersonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        try:
            person = services.create_person(
                email=values["email"],
                name=values["name"],
                title=values["title"],
                roles=values["roles"],
                department=values["department"],
                by=caller(request),
            )
        except Refused as refusal:
            show_refusal(form, refusal)
        else:
            messages.success(request, _("%(email)s can sign in after setting a password.") % {"email": person.email})
            return _send_link(request, person)
    return render(request, "accounts/person_new.html", {"form": form})


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Action.MANAGE_PEOPLE)
def person(request: HttpRequest, user_id: UUID) -> HttpResponse:
    """One account: name, roles, department; its tokens; deactivation."""
    owner = get_object_or_404(User, pk=user_id)
    initial = {"title": owner.title, "name": owner.name, "roles": sorted(owner.roles), "department": owner.department}
    form = PersonForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            services.edit_person(owner, by=caller(request), **form.cleaned_data)
        except Refused as refusal:
            show_refusal(form, refusal)
        else:
            messages.success(request, _("Saved."))
            return redirect("accounts:person", owner.pk)
    return render_person(request, owner, form=form)


@require_POST
@requires(Action.MANAGE_PEOPLE)
def person_deactivate(request: HttpRequest, user_id: UUID) -> HttpResponse:
    """End an account's sessions and tokens and let it sign in no more."""
    owner = get_object_or_404(User, pk=user_id)
    try:
        services.deactivate(owner, by=caller(request))
    except Refused as refusal:
        messages.error(request, refusal.message)
    else:
        messages.success(request, _("Deactivated. Sessions and tokens have ended."))
    return redirect("accounts:person", owner.pk)


@require_POST
@requires(Action.MANAGE_PEOPLE)
def person_reactivate(request: HttpRequest, user_id: UUID) -> HttpResponse:
    """Let a deactivated account sign in again."""
    owner = get_object_or_404(User, pk=user_id)
    services.reactivate(owner, by=caller(request))
    messages.success(request, _("Reactivated. Old tokens stay revoked."))
    return redirect("accounts:person", owner.pk)


@never_cache
@require_POST
@requires(Action.MANAGE_PEOPLE)
def person_link(request: HttpRequest, user_id: UUID) -> HttpResponse:
    """Send a link to set a new password."""
    return _send_link(request, get_object_or_404(User, pk=user_id))


@never_cache
@require_POST
@requires(Action.MANAGE_TOKENS)
def person_token(request: HttpRequest, user_id: UUID) -> HttpResponse:
    """Make a token for a machine. People make their own: a token of theirs would read their patients' record."""
    owner, form = get_object_or_404(User, pk=user_id), TokenForm(request.POST)
    if not is_machine(owner):
        record_refusal(caller(request), obj=owner, detail={"needs": "machine"})
        messages.error(request, _("Users create their own tokens."))
        return redirect("accounts:person", owner.pk)
    plain = make_token(form, owner, by=caller(request))
    return render_person(request, owner, token_form=TokenForm() if plain else form, plain=plain)


def is_machine(user: User) -> bool:
    """Whether an account is an API client and nothing else."""
    return user.roles == frozenset({Role.API_CLIENT})


def render_person(
    request: HttpRequest,
    owner: User,
    *,
    form: PersonForm | None = None,
    token_form: TokenForm | None = None,
    plain: str | None = None,
    link: str | None = None,
) -> HttpResponse:
    """The page of one account, with a fresh token or link that is shown this once."""
    initial = {
        "title": owner.title,
        "name": owner.name,
        "roles": sorted(owner.roles),
        "department": owner.department,
    }
    context = {
        "owner": owner,
        "form": form or PersonForm(initial=initial),
        "token_form": token_form or TokenForm(),
        "tokens": owner.api_tokens.select_related("user"),
        "is_machine": is_machine(owner),
        "plain": plain,
        "link": link,
        "mail_is_sent": services.mail_is_sent(),
    }
    return render(request, "accounts/person.html", context)


def _send_link(request: HttpRequest, owner: User) -> HttpResponse:
    try:
        link = services.send_password_link(owner, by=caller(request))
    except Refused as refusal:
        messages.error(request, refusal.message)
        return redirect("accounts:person", owner.pk)
    if link is None:
        messages.success(request, _("A link to set a password was sent to %(email)s.") % {"email": owner.email})
        return redirect("accounts:person", owner.pk)
    return render_person(request, owner, link=link)
