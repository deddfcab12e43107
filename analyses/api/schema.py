"""What the OpenAPI schema says beyond the serializers: refusals with their codes, headers and examples."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
)

from analyses.api.serializers import AcceptedSerializer, AnalysisSerializer, ErrorSerializer, FilmSerializer

ID = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
CASE_ID = "0b8e2f0c-3f6b-4a53-9a57-2b6d3b1f9c11"
HOST = "https://bonescan.example.org"
ACCEPTED = {"id": ID, "status": "queued", "url": f"{HOST}/api/v1/analyses/{ID}/"}
REGION: dict[str, Any] = {
    "polygon": [[0.4, 0.25], [0.6, 0.25], [0.6, 0.5], [0.4, 0.5]],
    "box": [0.4, 0.25, 0.6, 0.5],
    "polygon_px": [[400.0, 500.0], [600.0, 500.0], [600.0, 1000.0], [400.0, 1000.0]],
    "box_px": [400.0, 500.0, 600.0, 1000.0],
    "area": 0.05,
    "probability": 0.93,
    "size": {"longest_diameter_px": 538.52, "area_px": 100000.0, "longest_diameter_mm": None, "area_mm2": None},
}
ANALYSED: dict[str, Any] = {
    "id": ID,
    "url": f"{HOST}/api/v1/analyses/{ID}/",
    "created_at": "2026-11-23T09:40:12.031Z",
    "status": "succeeded",
    "stage": "done",
    "place_in_queue": None,
    "patient_id": "400122",
    "accession_number": "A-2026-0815",
    "reading": None,
    "case": {"id": CASE_ID, "url": f"{HOST}/cases/{CASE_ID}/"},
    "result": {
        "outcome": "malignant",
        "reason_code": None,
        "probabilities": {"normal": 0.05, "benign": 0.33, "malignant": 0.62},
        "operating_point": {"name": "balanced", "malignant": 0.31, "tumour": 0.52},
        "leaning": "malignant",
        "withheld_reasons": [],
        "prediction_set": ["malignant"],
        "subtypes": [{"name": "osteosarcoma", "probability": 0.71}, {"name": "giant cell tumour", "probability": 0.12}],
        "regions": [REGION],
        "outside_use": [],
        "distance": 3.2,
    },
    "model": {
        "name": "bonescan",
        "version": "1.0.0",
        "sha256": "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef",
    },
    "timings_ms": {"decoding": 12.1, "checking": 9.8, "classifying": 30.2, "explaining": 21.5},
    "warnings": [{"code": "laterality_mismatch", "field": "laterality", "against": "file", "confirmed": None}],
    "error": None,
    "input_sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "canonical_sha256": "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752",
    "site_acceptance": "accepted",
    "blinded": False,
}


def _of_the_tumour(answer: dict[str, Any]) -> dict[str, Any]:
    """The example with its first entry of `results`, which repeats what it says itself."""
    entry = {"task": "tumour"} | {name: answer[name] for name in ("status", "result", "model", "error")}
    return answer | {"results": [entry]}


ANALYSED = _of_the_tumour(ANALYSED)
WITHHELD = _of_the_tumour(
    ANALYSED
    | {
        "result": ANALYSED["result"]
        | {
            "outcome": "withheld",
            "reason_code": "set_undecided",
            "probabilities": None,
            "leaning": None,
            "withheld_reasons": ["set_undecided", "unstable"],
            "prediction_set": ["benign", "malignant"],
            "subtypes": [],
        }
    }
)
WAITING = _of_the_tumour(
    ANALYSED
    | {
        "status": "queued",
        "stage": "waiting",
        "place_in_queue": 3,
        "result": None,
        "model": None,
        "site_acceptance": None,
        "timings_ms": {},
        "warnings": [],
        "canonical_sha256": None,
    }
)
# As a doctor's own token hears of it before the unaided reading is locked.
BLINDED = ANALYSED | {
    "result": None,
    "results": [],
    "model": None,
    "site_acceptance": None,
    "timings_ms": {},
    "warnings": [],
    "blinded": True,
}
UNREADABLE = _of_the_tumour(
    WAITING
    | {
        "status": "failed",
        "stage": "decoding",
        "place_in_queue": None,
        "error": {
            "code": "not_an_image",
            "message": "The file is not a readable image. Upload a JPEG, PNG, TIFF, WebP, BMP or single-frame DICOM.",
        },
    }
)


NOT_YET = ("read_first", "no_result", "identity_unconfirmed", "busy", "letters_missing")


def refusal(meaning: str, *codes: str) -> OpenApiResponse:
    """One status code's refusals, each with an example."""
    examples = [
        OpenApiExample(code, value={"code": code, "detail": meaning, "fields": {}}, response_only=True)
        for code in codes
    ]
    return OpenApiResponse(ErrorSerializer, description=f"{meaning} Codes: {', '.join(codes)}.", examples=examples)


def answers(*parts: dict[Any, Any]) -> dict[Any, Any]:
    """Responses by status code (or by code and media type), in the order of the codes; a later part wins."""
    together = {key: response for part in parts for key, response in part.items()}
    return dict(sorted(together.items(), key=lambda item: item[0][0] if isinstance(item[0], tuple) else item[0]))


EVERYWHERE = {
    401: refusal("No valid credentials.", "not_authenticated", "invalid_token"),
    403: refusal("The account does not have permission.", "permission_denied", "csrf_failed"),
    429: OpenApiResponse(
        ErrorSerializer,
        description="Too many calls with this token. Wait for the time given in `Retry-After` (seconds).",
    ),
    503: refusal(
        "The database or a file is currently unavailable.",
        "database_unavailable",
        "storage_unavailable",
        "file_unavailable",
    ),
}
ONE = EVERYWHERE | {404: refusal("The analysis does not exist, or this account has no access to it.", "not_found")}
DETAIL_EXAMPLES = [
    OpenApiExample("analysed", value=ANALYSED, response_only=True),
    OpenApiExample("withheld", value=WITHHELD, response_only=True),
    OpenApiExample("waiting", value=WAITING, response_only=True),
    OpenApiExample("blinded", value=BLINDED, response_only=True),
    OpenApiExample("failed", value=UNREADABLE, response_only=True),
]


def _location(*statuses: int) -> OpenApiParameter:
    return OpenApiParameter(
        "Location",
        OpenApiTypes.URI,
        OpenApiParameter.HEADER,
        description="Address of the result; same as `url`.",
        response=list(statuses),
    )


def _accepted(description: str) -> OpenApiResponse:
    examples = [OpenApiExample("accepted", value=ACCEPTED, response_only=True)]
    return OpenApiResponse(AcceptedSerializer, description=description, examples=examples)


CREATE = extend_schema(
    operation_id="create_analysis",
    summary="Post a film",
    description=(
        "Stores one film and queues it for analysis. Empty fields are filled in from the DICOM "
        "header. The same file of the same patient is not analysed twice: the response is then 200 "
        "with the existing analysis."
    ),
    request={"multipart/form-data": FilmSerializer},
    parameters=[
        OpenApiParameter("again", OpenApiTypes.BOOL, description="Analyse the film again even if an analysis exists."),
        OpenApiParameter(
            "Idempotency-Key",
            {"type": "string", "maxLength": 200},
            OpenApiParameter.HEADER,
            description="For safe repetition: the same key and body return the same analysis; a different "
            "body returns 422.",
        ),
        _location(200, 202),
    ],
    responses=answers(
        EVERYWHERE,
        {
            202: _accepted("Stored and queued."),
            200: _accepted("Already stored; no new analysis was created."),
            400: refusal("The body or a field is invalid.", "bad_field", "empty_file", "no_department", "parse_error"),
            403: refusal("The account does not have permission.", "permission_denied", "token_needed", "csrf_failed"),
            409: refusal("Not possible in the current state of the case.", "case_signed"),
            411: refusal("The length of the body is missing.", "length_required"),
            413: refusal("The film is larger than the limit.", "too_large"),
            415: refusal(
                "The body is not multipart/form-data, or is compressed.",
                "unsupported_media_type",
                "content_encoding_not_accepted",
            ),
            422: refusal("This key was used with a different body.", "idempotency_key_reused"),
            507: refusal("The file store is full; nothing was stored.", "storage_full"),
        },
    ),
)
LIST = extend_schema(
    operation_id="list_analyses",
    summary="List analyses",
    responses=answers(
        EVERYWHERE,
        {
            200: AnalysisSerializer(many=True),
            400: refusal("A filter is unknown or has an invalid value.", "bad_field"),
            404: refusal("The page does not exist.", "no_such_page"),
        },
    ),
)
RETRIEVE = extend_schema(
    operation_id="get_analysis",
    summary="One analysis",
    description="Repeat the request every one to two seconds until `status` is succeeded, failed or cancelled.",
    responses=answers(ONE, {200: OpenApiResponse(AnalysisSerializer, examples=DETAIL_EXAMPLES)}),
)
REPORT = extend_schema(
    operation_id="get_report",
    summary="The report as PDF",
    description="Available for every succeeded analysis. An unsigned report states on every page that no "
    "doctor has read it.",
    responses=answers(
        ONE,
        {
            (200, "application/pdf"): OpenApiTypes.BINARY,
            409: refusal(
                "The report is not available yet.",
                "read_first",
                "no_result",
                "identity_unconfirmed",
                "busy",
                "letters_missing",
            ),
        },
    ),
)


def _picture(operation_id: str, summary: str, code: str, meaning: str) -> Any:
    responses = answers(EVERYWHERE, {(200, "image/png"): OpenApiTypes.BINARY, 404: refusal(meaning, "not_found", code)})
    return extend_schema(operation_id=operation_id, summary=summary, responses=responses)


IMAGE = _picture(
    "get_image", "The decoded film", "no_image", "The analysis does not exist, or the film is not decoded yet."
)
SALIENCY = _picture(
    "get_saliency",
    "The saliency map (the model page of its version states whether it was validated)",
    "no_saliency",
    "The analysis does not exist or has no map: model versions without validated maps produce none.",
)
CANCEL = extend_schema(
    operation_id="cancel_analysis",
    summary="Cancel",
    request=None,
    responses=answers(
        ONE,
        {
            200: OpenApiResponse(AnalysisSerializer, description="Cancelled."),
            409: refusal("The analysis has already ended.", "not_cancelable"),
        },
    ),
)
RETRY = extend_schema(
    operation_id="retry_analysis",
    summary="Try again",
    request=None,
    parameters=[_location(202)],
    responses=answers(
        ONE,
        {
            202: _accepted("Queued again."),
            409: refusal("Only a failed or cancelled analysis can be repeated.", "not_retriable", "case_signed"),
        },
    ),
)
