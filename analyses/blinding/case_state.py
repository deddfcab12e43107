"""One case before one user: what a request needs to know of it, loaded once and passed on."""

from collections.abc import Mapping
from functools import cached_property
from uuid import UUID

from accounts.models import User
from analyses.answers.current import analyses_of, current_by_image
from analyses.blinding.rules import is_reader, read_first, reads_first
from analyses.models import (
    SIGNED_STATES,
    Analysis,
    Arm,
    ReaderStudyCase,
    ReaderStudyState,
    Report,
    Review,
    SecondReading,
    Study,
    Task,
    UnaidedReading,
)


class CaseState:
    """A case as one user meets it. Each part is loaded when it is first asked for, once.

    It says how things were when they were loaded: whoever takes the lock of a case makes a new one of the locked row,
    and trusts nothing that was loaded before.
    """

    def __init__(self, study: Study, user: User | None) -> None:
        self.study, self.user = study, user

    def before(self, user: User | None) -> "CaseState":
        """The same case before another user."""
        other = CaseState(self.study, user)
        other.unaided_readings = self.unaided_readings
        return other

    @cached_property
    def every_analysis(self) -> list[Analysis]:
        """The analyses of all tasks: those of one film after the other, the newest of each first."""
        return list(analyses_of(self.study))

    @cached_property
    def analyses(self) -> list[Analysis]:
        """All tumour analyses: those of one film after the other, the newest of each first."""
        return [row for row in self.every_analysis if row.task == Task.TUMOUR]

    @cached_property
    def further(self) -> dict[str, list[Analysis]]:
        """The current analyses of the other tasks that the films were asked, by task; of nothing, where blind."""
        if self.is_blind:
            return {}
        found = {}
        for task in Task.values:
            rows = [row for row in self.every_analysis if row.task == task != Task.TUMOUR]
            if rows:
                found[task] = list(current_by_image(rows).values())
        return found

    @cached_property
    def current(self) -> list[Analysis]:
        """The current analysis of each film, in the order in which the films came."""
        return list(current_by_image(self.analyses).values())

    @cached_property
    def review(self) -> Review | None:
        """The final reading, draft or signed, with its reader."""
        return Review.objects.select_related("reader").filter(study=self.study).first()

    @cached_property
    def reports(self) -> list[Report]:
        """The issued reports, the newest first."""
        return list(Report.objects.filter(study=self.study).select_related("issued_by"))

    @cached_property
    def second_readings(self) -> list[SecondReading]:
        """What colleagues were asked, with what they answered."""
        rows = SecondReading.objects.filter(study=self.study)
        return list(rows.select_related("asked_by", "reader", "first_reader"))

    @cached_property
    def unaided_readings(self) -> Mapping[UUID, UnaidedReading]:
        """The unaided readings of the case, by their reader."""
        return {row.reader_id: row for row in UnaidedReading.objects.filter(study=self.study)}

    @cached_property
    def hidden_by_reader_study(self) -> bool:
        """Whether this user reads the case for a reader study that is open: ``reader_study.hidden_by_reader_study``."""
        if self.user is None:
            return False
        mine = ReaderStudyCase.objects.filter(case=self.study, reader_study__readers__user_id=self.user.pk)
        return mine.filter(reader_study__state=ReaderStudyState.OPEN).exists()

    @property
    def is_signed(self) -> bool:
        return self.study.reading_state in SIGNED_STATES

    @property
    def unaided(self) -> UnaidedReading | None:
        """This user's unaided reading, open or locked."""
        return None if self.user is None else self.unaided_readings.get(self.user.pk)

    @property
    def answered_to(self) -> User | None:
        """Whose locked unaided reading fixes the answer that is shown: the one who signed, else this user."""
        return self.review.reader if self.is_signed and self.review is not None else self.user

    @cached_property
    def sees_model(self) -> bool:
        """Whether the model's answer may be shown to this user now."""
        if not is_reader(self.user):
            return True
        if self.hidden_by_reader_study:
            return False
        if self.is_signed:
            return True
        if self.unaided is None:
            return not reads_first(self.user)
        return self.unaided.is_locked and self.unaided.arm != Arm.HIDDEN

    @property
    def is_blind(self) -> bool:
        """Whether the model's answer must not be shown."""
        return not self.sees_model

    @property
    def in_reader_study(self) -> bool:
        """Whether it must not because this user reads the case for a reader study that is open."""
        return self.is_blind and self.hidden_by_reader_study

    @property
    def to_begin(self) -> bool:
        """Whether an unaided reading is still to be opened."""
        return self.is_blind and not self.in_reader_study and self.unaided is None

    @property
    def to_lock(self) -> bool:
        """Whether the unaided reading is open and not locked."""
        return self.is_blind and not self.in_reader_study and self.unaided is not None and not self.unaided.is_locked

    @property
    def hidden_by_allocation(self) -> bool:
        """Whether the unaided reading is locked and the answer waits for the signature."""
        return self.is_blind and not self.in_reader_study and self.unaided is not None and self.unaided.is_locked

    @property
    def hides_first_reading(self) -> bool:
        """Whether the user is asked for a second reading and must not see what was read so far."""
        return self.user is not None and any(
            row.is_open and row.reader_id == self.user.pk for row in self.second_readings
        )

    def require_unblinded(self) -> None:
        """Raise Conflict ``read_first`` where the answer must not be shown yet; reports hold it."""
        if self.is_blind:
            raise read_first()

    def require_locked(self) -> None:
        """Raise Conflict ``read_first`` where this doctor has an unaided reading to lock before the final one."""
        if self.unaided is None and not reads_first(self.user):
            return
        if self.unaided is None or not self.unaided.is_locked:
            raise read_first()
