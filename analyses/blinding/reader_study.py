"""What the readers of an open reader study must not reach elsewhere: the model's answers to its cases."""

from django.db.models import Q

from accounts.models import User
from analyses.models import ReaderStudyCase, ReaderStudyState

NOTHING = Q(pk__in=[])


def hidden_by_reader_study(user: User | None, study: str = "pk") -> Q:
    """The cases (a condition on Study) whose answers this user must not see while a reader study with them is open.

    It holds for every case of the reader study, read or not, until its closing: what a reader has looked up cannot be
    washed out. Signed cases are included, since a reader study is made of them.

    Args:
        study: lookup of the case from the row that is filtered, e.g. ``"image__study"`` for analyses.
    """
    if user is None or not user.is_authenticated:
        return NOTHING
    mine = ReaderStudyCase.objects.filter(reader_study__state=ReaderStudyState.OPEN, reader_study__readers__user=user)
    return Q(**{f"{study}__in": mine.values("case_id")})
