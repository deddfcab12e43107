"""Pages of the department's reading templates."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.gate import in_scope
from accounts.permissions import Action, requires
from analyses.errors import ServiceError
from analyses.models import ReadingTemplate
from analyses.pages import add_service_error
from analyses.reading import templates as reading_templates
from analyses.reading.forms import TemplateForm, initial_of_template
from analyses.structured_reading import text
from analyses.structured_reading.findings import from_json


@require_safe
@requires(Action.MANAGE_TEMPLATES)
def template_list(request: HttpRequest) -> HttpResponse:
    """The templates of the department, those in use first."""
    user: Any = request.user
    rows = ReadingTemplate.objects.for_user(user).select_related("created_by", "department")
    found = sorted(rows, key=lambda row: (not row.is_active, row.name))
    listed = [(row, text.findings_text(from_json(row.findings), row.department.language)) for row in found]
    return render(request, "analyses/case_page/reading_templates.html", {"rows": listed})


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Action.MANAGE_TEMPLATES)
def template_new(request: HttpRequest) -> HttpResponse:
    """Define a template."""
    return _edit(request, None)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Action.MANAGE_TEMPLATES)
def template_edit(request: HttpRequest, template_id: UUID) -> HttpResponse:
    """Change a template; readings that it filled stay as they are."""
    return _edit(request, in_scope(request, ReadingTemplate.objects.all(), template_id))


@require_POST
@requires(Action.MANAGE_TEMPLATES)
def template_retire(request: HttpRequest, template_id: UUID) -> HttpResponse:
    """Offer a template no more."""
    template = in_scope(request, ReadingTemplate.objects.all(), template_id)
    try:
        reading_templates.retire_template(template, request.user)  # type: ignore[arg-type]
    except ServiceError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, _("Template retired."))
    return redirect("analyses:reading_templates")


def _edit(request: HttpRequest, template: ReadingTemplate | None) -> HttpResponse:
    initial = _initial(template) if template else {}
    form = TemplateForm(request.POST or None, initial=initial)
    status = 200
    if request.method == "POST":
        status = 400
        if form.is_valid():
            try:
                _save(request, form, template)
            except ServiceError as error:
                status = error.status
                add_service_error(form, error)
            else:
                messages.success(request, _("Template saved."))
                return redirect("analyses:reading_templates")
    return render(
        request, "analyses/case_page/reading_template.html", {"form": form, "template": template}, status=status
    )


def _save(request: HttpRequest, form: TemplateForm, template: ReadingTemplate | None) -> None:
    given = form.cleaned_data
    names = ("name", "body_part", "impression", "recommendation", "recommendation_months", "recommendation_text")
    reading_templates.save_template(
        request.user,  # type: ignore[arg-type]
        findings=form.findings(),
        template=template,
        **{name: given[name] for name in names},
    )


def _initial(template: ReadingTemplate) -> dict[str, Any]:
    return {"name": template.name, "body_part": template.body_part} | initial_of_template(template)
