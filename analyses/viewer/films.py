"""Films, saliency maps and thumbnails: the re-encoded images, served only to those who may see the case."""

import gzip
import io
from uuid import UUID

from django.core.files.storage import default_storage
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from PIL import Image as Picture

from accounts import audit
from accounts.gate import in_scope
from accounts.permissions import Action, requires
from analyses.blinding.case_state import CaseState
from analyses.models import Analysis, Image
from inference.imaging.display import parts

THUMBNAIL_PX = 112
FILMS = Analysis.objects.select_related("image__study__patient")


@require_safe
@requires(Action.VIEW_CASES)
def film_image(request: HttpRequest, analysis_id: UUID) -> HttpResponse:
    """The canonical image as PNG."""
    analysis = in_scope(request, FILMS, analysis_id)
    if _unchanged(request, analysis.image.canonical_sha256):
        return _not_modified(analysis.image.canonical_sha256)
    data = stored(analysis.image.canonical_file)
    _record_download(request, analysis)
    return _png(data, analysis.image.canonical_sha256)


@require_safe
@requires(Action.VIEW_CASES)
def film_values(request: HttpRequest, analysis_id: UUID) -> HttpResponse:
    """The film's values before any window, packed (``inference.imaging.display``); 404 where there are none.

    ``?part=overview`` asks for the overview that large films begin with. What is stored is gzip, which every browser
    unpacks by itself; whoever does not take it gets it unpacked.
    """
    analysis = in_scope(request, FILMS, analysis_id)
    overview = request.GET.get("part") == "overview"
    tag = f"{'overview' if overview else 'values'}-{(analysis.image.display or {}).get('sha256', '')}"
    if analysis.image.display_file and _unchanged(request, tag):
        return _not_modified(tag)
    response = values_response(request, analysis.image)
    if not overview:
        _record_download(request, analysis)
    return _cached(response, tag)


def values_response(request: HttpRequest, image: Image) -> HttpResponse:
    """The values that ``film_values`` describes, for whoever may have them; the caller says what may be kept."""
    first = request.GET.get("part") == "overview"
    data = parts(stored(image.display_file), image.display or {})[0 if first else 1]
    if not data:
        raise Http404
    packed = "gzip" in request.headers.get("Accept-Encoding", "")
    response = HttpResponse(data if packed else gzip.decompress(data), content_type="application/octet-stream")
    if packed:
        response["Content-Encoding"] = "gzip"
    response["Vary"] = "Accept-Encoding, Cookie"
    response["X-Content-Type-Options"] = "nosniff"
    return response


@require_safe
@requires(Action.VIEW_CASES)
def film_saliency(request: HttpRequest, analysis_id: UUID) -> HttpResponse:
    """The saliency map of one analysis as a transparent PNG, to be laid over the whole film.

    Whoever must not see the model's answer yet meets what somebody meets where no map was stored: 404.
    """
    analysis = in_scope(request, FILMS, analysis_id)
    if CaseState(analysis.image.study, request.user).is_blind:  # type: ignore[arg-type]
        raise Http404
    tag = f"saliency-{analysis.pk}-{analysis.attempts}"
    return _not_modified(tag) if _unchanged(request, tag) else _png(stored(analysis.saliency_file), tag)


@require_safe
@requires(Action.VIEW_CASES)
def film_thumbnail(request: HttpRequest, analysis_id: UUID) -> HttpResponse:
    """A small copy for the film strip."""
    analysis = in_scope(request, FILMS, analysis_id)
    tag = f"thumbnail-{analysis.image.canonical_sha256}"
    if _unchanged(request, tag):
        return _not_modified(tag)
    with Picture.open(io.BytesIO(stored(analysis.image.canonical_file))) as picture:
        picture.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX), reducing_gap=2.0)
        small = io.BytesIO()
        picture.save(small, "PNG")
    return _png(small.getvalue(), tag)


def _record_download(request: HttpRequest, analysis: Analysis) -> None:
    study = analysis.image.study
    audit.record(
        "download_image",
        user=request.user,  # type: ignore[arg-type]
        obj=analysis,
        case_id=study.pk,
        subject=study.record_number,
    )


def stored(name: str) -> bytes:
    """A stored file; 404 where there is none."""
    if not name:
        raise Http404
    try:
        with default_storage.open(name) as file:
            return file.read()
    except FileNotFoundError as missing:
        raise Http404 from missing


def _unchanged(request: HttpRequest, tag: str) -> bool:
    return bool(tag) and request.headers.get("If-None-Match") == f'"{tag}"'


def _not_modified(tag: str) -> HttpResponse:
    return _cached(HttpResponse(status=304), tag)


def _png(data: bytes, tag: str) -> HttpResponse:
    return _cached(HttpResponse(data, content_type="image/png"), tag)


def _cached(response: HttpResponse, tag: str) -> HttpResponse:
    """The browser may keep it but must ask each time, so that a right that ended ends the view."""
    response["Cache-Control"] = "private, no-cache"
    response["ETag"] = f'"{tag}"'
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Disposition"] = "inline"
    return response
