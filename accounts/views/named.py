"""Finding people who sign in by what is typed of their name: no accents needed, in any order."""

from uuid import UUID

from accounts.models import User
from accounts.spelling import is_found


def people_named(words: str) -> list[UUID]:
    """The accounts whose name holds every word; compared here, since an installation has hundreds of them, not more."""
    return [pk for pk, name in User.objects.values_list("pk", "name") if name and is_found(words, name)]
