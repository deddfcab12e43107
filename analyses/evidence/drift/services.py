"""Drift monitoring: windows of films and of signed readings compared with their reference, alarms raised, answered.

A window is ``WINDOW`` patients, each with the first image that the active model answered (or the first signed reading
of its answers); windows do not overlap, and are of one modality and task. Images of one patient are alike, and a false
alarm has the chance that is stated for independent ones only, so further ones of the same patient are passed over. A
case without a patient counts as one. A figure is compared with the card's reference distribution; where the card has
none, with the first ``LOCAL`` local patients, and is not tested while these are being collected. Where an administrator
accepted an alarm as how this site is, the figure is compared with the ``LOCAL`` patients up to that window from then
on. The chance of any false alarm in a window is ``LEVEL``, see ``inference.shift.bins``.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import structlog
from django.conf import settings
from django.core.mail import send_mail
from django.db import IntegrityError, models, transaction
from django.db.models import Exists, OuterRef, Q
from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from accounts import audit
from accounts.languages import language_of_user
from accounts.models import ReadingMode, Role, User
from accounts.permissions import Action, require
from analyses.errors import Conflict, invalid_field
from analyses.evidence.drift.figures import MonitoredFigure, monitored_figures
from analyses.models import (
    Analysis,
    DriftAlarm,
    DriftCheck,
    DriftSeries,
    ModelActivation,
    Review,
    Status,
    Task,
    UnaidedReading,
)
from analyses.record.fields import MAX_REASON
from analyses.registry import services as registry
from analyses.registry.uses import TUMOUR_ON_RADIOGRAPHS, IntendedUse, all_uses
from analyses.stored_words import figure_word
from inference import card as cards
from inference.errors import WeightsError
from inference.shift.bins import Reference, compare, holm
from inference.shift.energy import energy_test

log = structlog.get_logger(__name__)
WINDOW, LOCAL, LEVEL = 100, 200, 0.01
# Fewer values than this in a window say too little.
LEAST_VALUES = 50
# Rows that are still being committed by another process come late; none is passed over by waiting a little.
SETTLED = timedelta(seconds=60)
MAX_WINDOWS = 5
PAGE = 500


def check_all_uses() -> int:
    """Compare every window that is complete for the active model, and return how many; the sweeper calls it."""
    return sum(check_windows(registry.active_model(use), use) for use in registry.active_uses())


def check_windows(key: str, use: IntendedUse = TUMOUR_ON_RADIOGRAPHS) -> int:
    """Compare every window of this model and use that is complete, and return how many."""
    done = 0
    for series in DriftSeries.values:
        while done < MAX_WINDOWS and check_next(MonitoredSeries(series, use, key)):
            done += 1
    return done


@dataclass(frozen=True)
class MonitoredSeries:
    """What is counted into windows: the images or the readings that one model answered for one use."""

    series: str
    use: IntendedUse
    key: str

    @property
    def checks(self) -> models.QuerySet[DriftCheck]:
        """The windows that were compared, the newest first."""
        checks = DriftCheck.objects.filter(series=self.series, model_key=self.key).order_by("-number")
        return checks.filter(modality=self.use.modality, task=self.use.task)

    @property
    def time_field(self) -> str:
        """When a row counts."""
        return "finished_at" if self.series == DriftSeries.FILMS else "signed_at"

    def one_of_each_patient(self, rows: models.QuerySet, count: int) -> list[Any]:
        """The first of these rows of each of at most ``count`` patients, in the order of the rows."""
        chosen = self._chosen(rows, count)
        found = rows.in_bulk([pk for pk, _patient in chosen])
        return [found[pk] for pk, _patient in chosen]

    def patients_among(self, rows: models.QuerySet, most: int) -> int:
        """How many patients these rows are of, counted up to ``most``."""
        return len(self._chosen(rows, most))

    def _chosen(self, rows: models.QuerySet, count: int) -> list[tuple[Any, Any]]:
        study = "image__study" if self.series == DriftSeries.FILMS else "study"
        values = rows.values_list("pk", f"{study}__patient_id", f"{study}_id")
        seen: dict[Any, Any] = {}
        # By pages: through a cursor, Postgres plans for the first rows, and took minutes for readings that few answer.
        for first in itertools.count(0, PAGE):
            page = list(values[first : first + PAGE])
            for pk, patient, case in page:
                if len(seen) < count:
                    seen.setdefault(patient or case, pk)
            if len(seen) >= count or len(page) < PAGE:
                break
        return [(pk, patient) for patient, pk in seen.items()]

    def rows(self) -> models.QuerySet:
        """The rows, the oldest first."""
        before = timezone.now() - SETTLED
        answered = Analysis.objects.filter(modality=self.use.modality, task=self.use.task)
        if self.series == DriftSeries.FILMS:
            name, _, version = self.key.rpartition("-")
            answered = answered.filter(status=Status.SUCCEEDED, model_name=name, model_version=version)
            return answered.filter(finished_at__lte=before).select_related("image__study").order_by("finished_at", "pk")
        if self.use.task != Task.TUMOUR:
            # Readings are of the tumour only: they overrule no other answer.
            return Review.objects.none()
        # Readings of a trial do not count: not all saw the answer, and how many did is nobody's to know while it runs.
        in_trial = UnaidedReading.objects.filter(study=OuterRef("study"), mode=ReadingMode.TRIAL)
        signed = Review.objects.filter(signed_at__lte=before, agrees_with_model__isnull=False).exclude(Exists(in_trial))
        signed = signed.filter(Exists(answered.filter(image__study=OuterRef("study"))))
        since = ModelActivation.objects.filter(modality=self.use.modality, task=self.use.task, model_key=self.key)
        if (newest := since.order_by("-id").first()) is not None:
            signed = signed.filter(signed_at__gte=newest.activated_at)
        return signed.order_by("signed_at", "pk")


def check_next(monitored: MonitoredSeries) -> DriftCheck | None:
    """Compare the next window, or return None while it is not complete."""
    rows = monitored.rows()
    last = monitored.checks.first()
    field = monitored.time_field
    if last is not None:
        behind = Q(**{f"{field}__gt": last.to_at}) | Q(**{field: last.to_at, "pk__gt": last.last_id})
        rows = rows.filter(behind)
    window = monitored.one_of_each_patient(rows, WINDOW)
    if len(window) < WINDOW:
        return None
    number = last.number + 1 if last else 1
    figures = _figures(monitored, window, collecting=number * WINDOW <= LOCAL)
    check = DriftCheck(
        series=monitored.series,
        modality=monitored.use.modality,
        task=monitored.use.task,
        model_key=monitored.key,
        number=number,
        from_at=getattr(window[0], field),
        to_at=getattr(window[-1], field),
        last_id=window[-1].pk,
        figures=figures,
    )
    return check if _store(check) else None


def state(key: str, use: IntendedUse = TUMOUR_ON_RADIOGRAPHS) -> list[dict[str, Any]]:
    """For each series: the newest check, the checks before it (the oldest first), and how many patients wait."""
    found = []
    for series, label in DriftSeries.choices:
        monitored = MonitoredSeries(series, use, key)
        checks = list(monitored.checks[:30])
        rows, field = monitored.rows(), monitored.time_field
        if checks:
            rows = rows.filter(Q(**{f"{field}__gt": checks[0].to_at}))
        waiting = monitored.patients_among(rows, WINDOW + 1)
        found.append({"series": series, "label": label, "checks": checks[::-1], "waiting": waiting})
    return found


@transaction.atomic
def acknowledge(alarm: DriftAlarm, *, reason: str, user: User, accepted: bool = False) -> None:
    """Close an alarm with what was found.

    Args:
        accepted: this is how the site is; the figure is compared with the site's own films from now on.

    Raises:
        Invalid: ``bad_field`` without a reason.
        Conflict: ``already_acknowledged``.
    """
    require(user, Action.MANAGE_MODELS)
    reason = " ".join(reason.split())
    if not reason or len(reason) > MAX_REASON:
        message = _("Describe the finding in at most %(most)s characters.") % {"most": MAX_REASON}
        raise invalid_field("reason", message)
    open_rows = DriftAlarm.objects.filter(pk=alarm.pk, acknowledged_at__isnull=True)
    answer = {"acknowledged_by": user, "acknowledged_at": timezone.now(), "reason": reason, "accepted": accepted}
    if not open_rows.update(**answer):
        raise Conflict("already_acknowledged", _("This alarm has already been answered. Reload the page."))
    detail = {"figure": alarm.figure, "reason": reason, "accepted": accepted}
    audit.record("acknowledge_alarm", user=user, obj=alarm, detail=detail)


def _figures(monitored: MonitoredSeries, window: Sequence[Any], *, collecting: bool) -> list[dict[str, Any]]:
    references = _References(monitored, collecting)
    entries = [
        _entry(figure, *references.of(figure), _values(figure, window))
        for figure in monitored_figures(monitored.series, monitored.use.task)
    ]
    tested = [entry for entry in entries if entry["p"] is not None]
    for entry, adjusted in zip(tested, holm([entry["p"] for entry in tested]), strict=True):
        entry |= {"adjusted_p": adjusted, "alarm": adjusted <= LEVEL}
    return entries


class _References:
    """Where each figure's reference comes from: an accepted window, the card, or the first local rows."""

    def __init__(self, monitored: MonitoredSeries, collecting: bool) -> None:
        self._monitored, self._collecting = monitored, collecting
        self._card = _card_reference(monitored.key)
        accepted = DriftAlarm.objects.filter(accepted=True, check_row__in=monitored.checks.order_by())
        self._accepted = {
            alarm.figure: alarm.check_row for alarm in accepted.select_related("check_row").order_by("acknowledged_at")
        }
        self._rows: dict[Any, list[Any]] = {}

    def of(self, figure: MonitoredFigure) -> tuple[str, Reference | np.ndarray | None]:
        """The word for the source, and the reference; None while it is being collected."""
        check = self._accepted.get(figure.name)
        if check is not None:
            return "accepted", self._local(figure, check)
        stated = figure.card(self._card)
        if stated is not None:
            return "card", stated
        return "local", None if self._collecting else self._local(figure, None)

    def _local(self, figure: MonitoredFigure, until: DriftCheck | None) -> Reference | np.ndarray | None:
        number = until.number if until else None
        if number not in self._rows:
            rows, field = self._monitored.rows(), self._monitored.time_field
            # The first windows, or those up to an accepted one: never rows of the window that is compared.
            last = until or self._monitored.checks.filter(number=LOCAL // WINDOW).first()
            before = rows.filter(**{f"{field}__lte": last.to_at}) if last else rows
            in_order = before.reverse() if until else before
            self._rows[number] = self._monitored.one_of_each_patient(in_order, LOCAL)
        values = _values(figure, self._rows[number])
        return figure.local(values) if len(values) >= LEAST_VALUES else None


def _entry(
    figure: MonitoredFigure, source: str, reference: Reference | np.ndarray | None, values: list[Any]
) -> dict[str, Any]:
    """One figure of a window against its reference; ``psi`` of the joint figure is its energy distance."""
    if isinstance(reference, np.ndarray):
        values = [value for value in values if len(value) == reference.shape[1]]
    entry: dict[str, Any] = {
        "name": figure.name,
        "group": figure.group,
        "source": source,
        "n": len(values),
        "reference_n": _size(reference),
        "p": None,
        "alarm": False,
    }
    if reference is None or len(values) < LEAST_VALUES:
        return entry
    if isinstance(reference, np.ndarray):
        shift = energy_test(reference, np.array(values))
        return entry | {"bins": [], "reference": [], "observed": [], "psi": shift.statistic, "p": shift.p}
    found = compare(values, reference)
    return entry | {
        "bins": list(reference.labels),
        "reference": list(reference.shares),
        "observed": list(found.observed),
        "psi": found.psi,
        "p": found.p,
    }


def _size(reference: Reference | np.ndarray | None) -> int:
    if reference is None:
        return 0
    return len(reference) if isinstance(reference, np.ndarray) else reference.n


def _values(figure: MonitoredFigure, rows: Sequence[Any]) -> list[Any]:
    return [value for row in rows if (value := figure.value(row)) is not None]


def _card_reference(key: str) -> dict[str, Any]:
    try:
        reference = cards.load_card(registry.folder_of(key)).get("reference")
    except WeightsError:
        return {}
    return reference if isinstance(reference, dict) else {}


def _store(check: DriftCheck) -> bool:
    """Keep a check and its alarms; another sweeper may have been quicker."""
    try:
        with transaction.atomic():
            check.save()
            alarms = [
                DriftAlarm(check_row=check, figure=entry["name"], adjusted_p=entry["adjusted_p"], psi=entry["psi"])
                for entry in check.figures
                if entry["alarm"]
            ]
            DriftAlarm.objects.bulk_create(alarms)
            names = [alarm.figure for alarm in alarms]
            detail: dict[str, Any] = {"series": check.series, "modality": check.modality, "task": check.task}
            detail |= {"model": check.model_key, "window": check.number, "alarms": names}
            audit.record("drift_check", obj=check, detail=detail)
            if names:
                transaction.on_commit(lambda: _tell_administrators(check, names), robust=True)
    except IntegrityError:
        return False
    return True


def _tell_administrators(check: DriftCheck, names: list[str]) -> None:
    """Mail every administrator which figures left their reference; nothing about a patient, a case or a film."""
    people = User.objects.filter(is_active=True, role_assignments__role=Role.ADMINISTRATOR).distinct()
    for person in people.select_related("department").order_by("email"):
        with translation.override(language_of_user(person)):
            use = IntendedUse(check.modality, check.task).label if len(all_uses()) > 1 else ""
            context = {"check": check, "use": use, "names": [figure_word(name) for name in names], "level": LEVEL}
            text = render_to_string("analyses/evidence/drift/email/drift_alarm.txt", context)
            subject = _("BoneScan: drift alarm")
        try:
            send_mail(subject, text, settings.DEFAULT_FROM_EMAIL, [person.email])
        except OSError as error:  # smtplib's errors are OSErrors too
            log.warning("alarm_not_mailed", error=type(error).__name__)
