"""Pages of a list: ``page`` and ``page_size``, or ``cursor``, which goes on after a row and not at a number."""

import base64
import binascii
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from rest_framework import pagination
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

LARGEST_PAGE = 200
# Orders in which a row has a place that nothing new changes.
_BY_TIME = {"-created_at": "lt", "created_at": "gt"}


class PageNumberPagination(pagination.PageNumberPagination):
    """Refuses a page size that it would otherwise change silently, and goes on after a row where a cursor is given.

    Numbered pages of a list with the newest first shift while films arrive: an entry is seen twice. A cursor names the
    last entry that was seen.
    """

    page_size_query_param = "page_size"
    cursor_query_param = "cursor"
    max_page_size = LARGEST_PAGE
    last_page_strings = ()
    page_size_query_description = f"Entries per page, 1 to {LARGEST_PAGE}."
    page_query_description = "Page number, starting at 1."
    cursor_query_description = (
        "`next_cursor` of an earlier answer: the entries after it, none twice and none left out while films arrive. "
        "For orders by `created_at`, without `page`."
    )
    invalid_page_message = "The page does not exist."

    def get_page_size(self, request: Request) -> int | None:
        wanted = request.query_params.get(self.page_size_query_param)
        if wanted is None:
            return self.page_size
        if not (wanted.isascii() and wanted.isdecimal() and len(wanted) < 5 and 1 <= int(wanted) <= LARGEST_PAGE):
            raise ValidationError({self.page_size_query_param: [f"Give a whole number from 1 to {LARGEST_PAGE}."]})
        return int(wanted)

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any] | None:
        self.order = request.query_params.get("ordering", "-created_at")
        cursor = request.query_params.get(self.cursor_query_param)
        self.next_cursor: str | None = None
        self.by_cursor = cursor is not None
        if cursor is not None:
            return self._after(queryset, request, cursor)
        try:
            rows: list[Any] | None = super().paginate_queryset(queryset, request, view)
        except NotFound as error:
            raise NotFound(self.invalid_page_message, code="no_such_page") from error
        if rows and self.page is not None and self.page.has_next():
            self.next_cursor = self._cursor_of(rows[-1])
        return rows

    def _after(self, queryset: QuerySet, request: Request, cursor: str) -> list[Any]:
        """A page of the rows behind the one that the cursor names."""
        if request.query_params.get(self.page_query_param) or self.order not in _BY_TIME:
            raise ValidationError({self.cursor_query_param: ["Use it without page, and with an order by created_at."]})
        moment, key = self._read(cursor)
        size = self.get_page_size(request) or LARGEST_PAGE
        self.request, self.count = request, queryset.count()
        later = Q(**{f"created_at__{_BY_TIME[self.order]}": moment}) | Q(created_at=moment, id__gt=key)
        rows = list(queryset.filter(later)[: size + 1])
        if len(rows) > size:
            self.next_cursor = self._cursor_of(rows[size - 1])
        return rows[:size]

    def _cursor_of(self, row: Any) -> str | None:
        if self.order not in _BY_TIME:
            return None
        text = f"{self.order} {row.created_at.astimezone(UTC).isoformat()} {row.pk}"
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    def _read(self, cursor: str) -> tuple[datetime, UUID]:
        try:
            text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
            order, moment, key = text.split(" ")
            read = datetime.fromisoformat(moment).astimezone(UTC), UUID(key)
        except (ValueError, OverflowError, binascii.Error) as error:
            wrong = {self.cursor_query_param: ["Give next_cursor of an earlier answer, as it was."]}
            raise ValidationError(wrong) from error
        if order != self.order:
            raise ValidationError({self.cursor_query_param: [f"It belongs to the order {order}."]})
        return read

    def get_paginated_response(self, data: Any) -> Response:
        if not self.by_cursor:
            answer: Response = super().get_paginated_response(data)
            answer.data["next_cursor"] = self.next_cursor
            return answer
        following = None
        if self.next_cursor and self.request is not None:
            address = self.request.build_absolute_uri()
            following = replace_query_param(address, self.cursor_query_param, self.next_cursor)
        body = {"count": self.count, "next": following, "previous": None, "results": data}
        return Response(body | {"next_cursor": self.next_cursor})

    def get_paginated_response_schema(self, schema: Any) -> dict[str, Any]:
        described: dict[str, Any] = super().get_paginated_response_schema(schema)
        described["properties"]["next_cursor"] = {
            "type": "string",
            "nullable": True,
            "description": "Goes on after the last entry here; null at the end, and for orders by probability.",
        }
        return described

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        parameters = super().get_schema_operation_parameters(view)
        for parameter in parameters:
            parameter["schema"] |= {"minimum": 1}
            if parameter["name"] == self.page_size_query_param:
                parameter["schema"] |= {"maximum": LARGEST_PAGE, "default": self.page_size}
        cursor = {"name": self.cursor_query_param, "required": False, "in": "query", "schema": {"type": "string"}}
        return [*parameters, cursor | {"description": self.cursor_query_description}]
