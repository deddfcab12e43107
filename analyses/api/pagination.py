"""Pages of a list: ``page`` and ``page_size``."""

from typing import Any

from rest_framework import pagination
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request

LARGEST_PAGE = 200


class PageNumberPagination(pagination.PageNumberPagination):
    """Refuses a page size that it would otherwise change silently."""

    page_size_query_param = "page_size"
    max_page_size = LARGEST_PAGE
    last_page_strings = ()
    page_size_query_description = f"Entries per page, 1 to {LARGEST_PAGE}."
    page_query_description = "Page number, starting at 1."
    invalid_page_message = "The page does not exist."

    def get_page_size(self, request: Request) -> int | None:
        wanted = request.query_params.get(self.page_size_query_param)
        if wanted is None:
            return self.page_size
        if not (wanted.isascii() and wanted.isdecimal() and len(wanted) < 5 and 1 <= int(wanted) <= LARGEST_PAGE):
            raise ValidationError({self.page_size_query_param: [f"Give a whole number from 1 to {LARGEST_PAGE}."]})
        return int(wanted)

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any] | None:
        try:
            return super().paginate_queryset(queryset, request, view)
        except NotFound as error:
            raise NotFound(self.invalid_page_message, code="no_such_page") from error

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        parameters = super().get_schema_operation_parameters(view)
        for parameter in parameters:
            parameter["schema"] |= {"minimum": 1}
            if parameter["name"] == self.page_size_query_param:
                parameter["schema"] |= {"maximum": LARGEST_PAGE, "default": self.page_size}
        return parameters
