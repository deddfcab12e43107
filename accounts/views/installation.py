"""Departments, and the settings of this installation."""

from uuid import UUID

from django.contrib import messages
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render  # noqa: TID251 (departments are the administrator's)
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts import services
from accounts.errors import Refused
from accounts.forms import DepartmentEditForm, DepartmentForm, SettingsForm
from accounts.models import Department
from accounts.permissions import Action, requires
from accounts.views.caller import caller, show_refusal


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Action.MANAGE_PEOPLE)
def departments(request: HttpRequest) -> HttpResponse:
    """The departments with the number of their people, and a form for another one."""
    form = DepartmentForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            services.create_department(name=form.cleaned_data["name"], by=caller(request))
        except Refused as refusal:
            show_refusal(form, refusal)
        else:
            messages.success(request, _("Department added."))
            return redirect("accounts:departments")
    rows = Department.objects.annotate(people=Count("users", filter=Q(users__is_active=True))).order_by("name")
    return render(request, "accounts/departments.html", {"form": form, "departments": rows})


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Action.MANAGE_PEOPLE)
def department(request: HttpRequest, department_id: UUID) -> HttpResponse:
    """Change a department's name, operating point and language, and when its doctors see and wait for answers."""
    row = get_object_or_404(Department, pk=department_id)
    initial = {
        "name": row.name,
        "operating_point": row.operating_point,
        "reading_mode": row.reading_mode,
        "language": row.language,
        "waits_for_answers": row.waits_for_answers,
        "unaccepted_answers": row.unaccepted_answers,
    }
    form = DepartmentEditForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            services.edit_department(row, by=caller(request), **form.cleaned_data)
        except Refused as refusal:
            show_refusal(form, refusal)
        else:
            messages.success(request, _("Saved."))
            return redirect("accounts:departments")
    return render(request, "accounts/department.html", {"form": form, "department": row})


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Action.MANAGE_SETTINGS)
def settings(request: HttpRequest) -> HttpResponse:
    """What stands in reports and e-mails of this installation."""
    form = SettingsForm(request.POST or None, instance=services.portal_settings())
    if request.method == "POST" and form.is_valid():
        services.change_settings(by=caller(request), **form.cleaned_data)
        messages.success(request, _("Settings saved."))
        return redirect("accounts:settings")
    return render(request, "accounts/settings.html", {"form": form})
