"""The API's views: they ask who may, call one service, and put the answer into JSON or a file."""

from typing import Any
from uuid import UUID

from django.core.files.storage import default_storage
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import translation
from django.views.decorators.http import require_safe
from drf_spectacular.renderers import OpenApiJsonRenderer2
from drf_spectacular.views import SpectacularAPIView
from rest_framework import viewsets
from rest_framework.exceptions import NotFound, PermissionDenied, ValidationError
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView

from accounts import audit
from accounts.gate import in_scope
from accounts.languages import language_of_user
from accounts.models import Role
from accounts.permissions import Action, may
from analyses.answers.current import further_by_image
from analyses.api import schema
from analyses.api.base import ApiView
from analyses.api.filters import AnalysisFilter, StrictFilterBackend
from analyses.api.serializers import AcceptedSerializer, AnalysisSerializer, FilmSerializer
from analyses.blinding.case_state import CaseState
from analyses.blinding.rules import hidden_among
from analyses.errors import Conflict, ServiceError
from analyses.intake import services as intake
from analyses.models import Analysis, Status, Task
from analyses.pipeline import queue
from analyses.reports import services as reports

ANALYSES = Analysis.objects.of_task(Task.TUMOUR).select_related("image__study__patient", "image__study__review")
LONGEST_IDEMPOTENCY_KEY = 200
YES = frozenset({"1", "true"})
NO = frozenset({"", "0", "false"})


class AnalysisViewSet(ApiView, viewsets.GenericViewSet):
    """Films and the model's answers to them."""

    queryset = Analysis.objects.none()  # tells the schema the model; get_queryset gives the rows
    serializer_class = AnalysisSerializer
    filter_backends = [StrictFilterBackend]
    filterset_class = AnalysisFilter
    parser_classes = [MultiPartParser]
    required_actions = {
        "list": (Action.USE_API,),
        "create": (Action.USE_API, Action.UPLOAD),
        "retrieve": (Action.USE_API,),
        "report": (Action.USE_API, Action.DOWNLOAD_ANY_REPORT),
        "image": (Action.USE_API,),
        "saliency": (Action.USE_API,),
        "cancel": (Action.USE_API, Action.UPLOAD),
        "retry": (Action.USE_API, Action.UPLOAD),
    }

    def get_queryset(self) -> QuerySet[Analysis]:
        return ANALYSES.for_user(self.caller)

    def get_object(self) -> Analysis:
        """The analysis of the address, by the gate of the pages."""
        return in_scope(self.request, ANALYSES, self.kwargs["pk"], via="api", reason="out_of_scope")

    @schema.LIST
    def list(self, request: Request) -> Response:
        rows = self.filter_queryset(self.get_queryset())
        page = self.paginate_queryset(rows) or []
        sought = [request.query_params.get(name, "") for name in ("patient_id", "accession_number", "q")]
        self._record(
            "search_cases" if any(sought) else "list_cases",
            subject=" ".join(filter(None, sought)),
            detail={"shown": len(page)},
        )
        return self.get_paginated_response(self._represent(page, many=True))

    @schema.CREATE
    def create(self, request: Request) -> Response:
        self._require_token()
        again = self._again(request)
        key = request.headers.get("Idempotency-Key", "").strip()
        if len(key) > LONGEST_IDEMPOTENCY_KEY or not key.isprintable():
            raise ValidationError({"Idempotency-Key": [f"At most {LONGEST_IDEMPOTENCY_KEY} printable characters."]})
        film = FilmSerializer(data=request.data)
        film.is_valid(raise_exception=True)
        submission = intake.submit_image(
            user=self.caller,
            token=self.token,
            upload=film.validated_data["image"],
            fields=film.case_fields,
            again=again,
            idempotency_key=key,
        )
        return self._accepted(submission.analysis, 202 if submission.created else 200)

    @schema.RETRIEVE
    def retrieve(self, request: Request, pk: UUID) -> Response:
        analysis = self.get_object()
        if analysis.is_final:  # asking whether it is done yet is not reading the answer
            self._record_on(analysis, "view_case")
        return Response(self._represent(analysis))

    @schema.REPORT
    def report(self, request: Request, pk: UUID) -> HttpResponse:
        analysis = self.get_object()
        CaseState(analysis.image.study, self.caller).require_unblinded()
        if analysis.status != Status.SUCCEEDED:
            raise Conflict("no_result", "There is no result to report yet. Wait until the status is 'succeeded'.")
        report = reports.issue_report(analysis.image.study, self.caller)
        content = reports.report_bytes(report)
        self._record_on(analysis, "download_report", kind=report.kind)
        response = HttpResponse(content, content_type="application/pdf")
        response["Content-Disposition"] = f'attachment; filename="report-{report.pk}.pdf"'
        return response

    @schema.IMAGE
    def image(self, request: Request, pk: UUID) -> HttpResponse:
        analysis = self.get_object()
        if not analysis.image.canonical_file:
            raise ServiceError("no_image", "The film is not decoded yet. Try again after the analysis.", status=404)
        return self._picture(analysis, analysis.image.canonical_file, "image")

    @schema.SALIENCY
    def saliency(self, request: Request, pk: UUID) -> HttpResponse:
        analysis = self.get_object()
        if not analysis.saliency_file or not CaseState(analysis.image.study, self.caller).sees_model:
            raise ServiceError("no_saliency", "There is no saliency map for this film.", status=404)
        return self._picture(analysis, analysis.saliency_file, "saliency")

    @schema.CANCEL
    def cancel(self, request: Request, pk: UUID) -> Response:
        queue.cancel(self.get_object(), self.caller)
        return Response(self._represent(self.get_object()))

    @schema.RETRY
    def retry(self, request: Request, pk: UUID) -> Response:
        analysis = self.get_object()
        queue.retry(analysis, self.caller)
        return self._accepted(self.get_object(), 202)

    def _represent(self, analyses: Any, *, many: bool = False) -> Any:
        rows = analyses if many else [analyses]
        hidden = hidden_among(self.caller, [row.image.study_id for row in rows])
        context = {"request": self.request, "places": queue.places_in_queue(rows), "hidden": hidden}
        context["further"] = further_by_image(row.image_id for row in rows if row.image.study_id not in hidden)
        return AnalysisSerializer(analyses, many=many, context=context).data

    def _accepted(self, analysis: Analysis, status: int) -> Response:
        url = reverse("api:analysis-detail", args=[analysis.pk], request=self.request)
        body = AcceptedSerializer({"id": analysis.pk, "status": analysis.status, "url": url}).data
        return Response(body, status=status, headers={"Location": url})

    def _require_token(self) -> None:
        """An API client sees what tokens posted; what it posted from a session it could never find again."""
        if self.token is None and not self.caller.has_role(Role.DOCTOR):
            raise PermissionDenied("API clients must post films with a token.", code="token_needed")

    def _again(self, request: Request) -> bool:
        unknown = set(request.query_params) - {"again"}
        value = request.query_params.get("again", "").lower()
        if unknown or value not in YES | NO:
            raise ValidationError({"again": ["The only query parameter allowed is '?again=1'."]})
        return value in YES

    def _picture(self, analysis: Analysis, name: str, what: str) -> HttpResponse:
        try:
            with default_storage.open(name) as file:
                content = file.read()
        except FileNotFoundError as error:
            raise ServiceError(
                "file_unavailable", "The file is currently unavailable. Inform the administrator.", status=503
            ) from error
        self._record_on(analysis, "download_image", picture=what)
        response = HttpResponse(content, content_type="image/png")
        response["Content-Disposition"] = f'inline; filename="{what}-{analysis.pk}.png"'
        return response

    def _record_on(self, analysis: Analysis, action: str, **detail: Any) -> None:
        study = analysis.image.study
        subject = study.record_number
        self._record(action, obj=analysis, case_id=study.pk, subject=subject, detail=detail)

    def _record(self, action: str, *, detail: dict[str, Any], **facts: Any) -> None:
        audit.record(action, user=self.caller, detail={"via": "api", **detail}, **facts)


class SchemaView(ApiView, SpectacularAPIView):
    """The OpenAPI schema, for anybody who is signed in or has a token."""

    renderer_classes = [OpenApiJsonRenderer2]
    permission_classes = APIView.permission_classes
    required_actions: dict[str, tuple[Action, ...]] = {"*": ()}

    def _get_version_parameter(self, request: Request) -> None:
        """There is one version; another that the address names would stand in the answer's header as it was typed."""


class NoSuchAddress(ApiView):
    """Answers every other address in the API's own error shape.

    Without it a POST that lacks the final slash would be redirected, and arrive as a GET that lists.
    """

    authentication_classes = []
    permission_classes = []
    throttle_classes = []
    schema = None  # left out of the OpenAPI schema

    def get(self, request: Request, **_kwargs: Any) -> Response:
        raise NotFound("Unknown address. API addresses end with a slash; file addresses do not.")

    post = put = patch = delete = options = get  # type: ignore[assignment]
    http_method_names = ["get", "head", "post", "put", "patch", "delete", "options"]


@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    """The interactive documentation, from this host only, for everybody who is signed in."""
    has_tokens = may(request.user, Action.OWN_TOKENS)  # type: ignore[arg-type]
    # A page for people, though its address is one of the API's.
    with translation.override(language_of_user(request.user)):  # type: ignore[arg-type]
        return render(request, "analyses/api/docs.html", {"has_tokens": has_tokens})
