"""What the scripts of the pages say, in the languages other than English: catalogues at addresses that never change.

An address names the language and the content, so browsers keep the answer and ask once for each version of it.
"""

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import translation
from django.utils.decorators import method_decorator
from django.views.i18n import JavaScriptCatalog

FOR_A_YEAR = "public, max-age=31536000, immutable"


@method_decorator(login_not_required, name="dispatch")
class Words(JavaScriptCatalog):
    """The catalogue of one language as a script, for everybody; the address says which, whoever asks."""

    def get(self, request: HttpRequest, language: str, version: str) -> HttpResponse:
        newest = version_of(language)
        if not newest:
            raise Http404
        with translation.override(language):
            answer: HttpResponse = super().get(request)
        if request.session.modified:
            # A session that ended on the way here is told by a cookie, which nobody else may keep.
            answer["Cache-Control"] = "private, no-store"
            return answer
        # A page of another version, as during an update, gets what there is and asks again next time.
        answer["Cache-Control"] = FOR_A_YEAR if version == newest else "no-cache"
        # Who asks was looked at on the way here and changes nothing: without this every sign-in would fetch it again.
        request.session.accessed = False
        return answer


def words_url(language: str | None) -> str:
    """Where the script of a language is; empty where there is none, as in English, in which the scripts are written."""
    version = version_of(language or "")
    return reverse("words", args=[language, version]) if version else ""


def version_of(language: str) -> str:
    """A short name of what the language's catalogue holds; empty without one."""
    if language not in dict(settings.LANGUAGES):
        return ""
    folder = Path(settings.LOCALE_PATHS[0], translation.to_locale(language), "LC_MESSAGES")
    try:
        return _digest(folder / "djangojs.mo", (folder / "djangojs.mo").stat().st_mtime_ns)
    except FileNotFoundError:
        return ""


@lru_cache
def _digest(path: Path, _changed: Any) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
