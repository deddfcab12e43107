"""Asks the one table of rights on behalf of the API."""

from typing import TYPE_CHECKING, Any

from django.core.exceptions import ImproperlyConfigured
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from accounts.permissions import Action, require

if TYPE_CHECKING:  # The framework's views import this module, which the settings name, while they are made.
    from rest_framework.views import APIView

# For a method that the address does not know, before it is answered with 405.
UNKNOWN_METHOD = (Action.USE_API,)


class ActionPermission(BasePermission):
    """Every view names the rights of each of its actions in ``required_actions``; to leave one out is an error.

    A plain APIView has the single action ``"*"``. An empty tuple means: anybody who is signed in.
    """

    def has_permission(self, request: Request, view: "APIView") -> bool:
        if not (request.user and request.user.is_authenticated):
            return False
        for action in self._needed(view):
            require(request.user, action)
        return True

    def _needed(self, view: Any) -> tuple[Action, ...]:
        name = getattr(view, "action", "*")
        if name in (None, "metadata"):  # the second is the framework's name for OPTIONS
            return UNKNOWN_METHOD
        try:
            return view.required_actions[name]
        except (AttributeError, KeyError) as error:
            raise ImproperlyConfigured(f"{type(view).__name__}.required_actions does not name {name!r}") from error
