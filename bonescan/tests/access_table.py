"""The table of every address and everybody who may ask, and a signed case with all that the addresses name."""

import hashlib
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.urls import reverse
from django.utils import timezone

from accounts.models import ApiToken, User
from analyses.evidence.reader_studies.reading import open_next
from analyses.evidence.reader_studies.snapshot import take
from analyses.models import (
    AcceptanceRun,
    Annotation,
    DriftAlarm,
    DriftCheck,
    ModelComparison,
    ReaderStudy,
    ReadingTemplate,
    Referral,
    Report,
    Review,
    SavedFilter,
    SecondReading,
    SiteAcceptance,
    Study,
    Trial,
)
from analyses.registry.services import default_model
from analyses.tests.factories import StudyFactory, deep_values, result

PEOPLE = ("doctor", "other_doctor", "clerk", "other_clerk", "api_client", "administrator", "auditor", "nobody")
TOKENS = ("token", "other_token", "doctor_token", "ended_token")
CALLERS = ("anonymous", *PEOPLE, *TOKENS)
# What a caller meets. Anything that is neither of the other three, nor a server error, counts as answered.
ANSWERED, REFUSED, HIDDEN, SIGN_IN = "answered", "refused (403)", "hidden (404)", "asked to sign in"

Expected = dict[str, str]


def everybody() -> Expected:
    return dict.fromkeys(CALLERS, ANSWERED)


def signed_in(*names: str) -> Expected:
    """A page: those named are answered, other people refused, strangers asked to sign in; a token opens no page."""
    names = names or PEOPLE
    return dict.fromkeys(CALLERS, SIGN_IN) | {who: ANSWERED if who in names else REFUSED for who in PEOPLE}


def of_department(*names: str) -> Expected:
    """A page about one object of the doctor's department: hidden from the same roles of another department."""
    others = {f"other_{who}": HIDDEN for who in names if f"other_{who}" in PEOPLE}
    return signed_in(*names) | others


def api(*names: str, hidden: tuple[str, ...] = ()) -> Expected:
    """An address of the API: a session or a usable token of those named."""
    people = dict.fromkeys(PEOPLE, REFUSED)
    tokens = {"ended_token": SIGN_IN}
    return {"anonymous": SIGN_IN} | people | tokens | dict.fromkeys(names, ANSWERED) | dict.fromkeys(hidden, HIDDEN)


API_ALL = api("doctor", "other_doctor", "api_client", "token", "other_token", "doctor_token")
API_ONE = api("doctor", "api_client", "token", "doctor_token", hidden=("other_doctor", "other_token"))
# An API client posts with its token: what it posted from a session it could never find again.
API_POST = api("doctor", "other_doctor", "token", "other_token", "doctor_token")
DOCTORS = ("doctor", "other_doctor")
DOWNLOADERS = (*DOCTORS, "clerk", "other_clerk")
ONE_REPORT = of_department("doctor", "clerk") | {"api_client": ANSWERED}


@dataclass(frozen=True)
class Route:
    """One address: which keys of the world it takes, and what each method answers to whom."""

    keys: tuple[str, ...] = ()
    get: Expected | None = None
    post: Expected | None = None
    body: tuple[str, ...] = field(default=())


STUDY, FILM, PERSON, ONE = ("study_id",), ("analysis_id",), ("user_id",), ("pk",)
BOTH = ("study_id", "analysis_id")

# Administrators manage a study, which is no reader's business until it is closed; only its readers read in it.
ONE_READER_STUDY, ONE_READING = ("reader_study_id",), ("reading_id",)
MANAGED = signed_in("administrator")
READER_STUDIES: dict[str, Route] = {
    "analyses:reader_studies": Route(get=MANAGED, post=MANAGED),
    "analyses:reader_study": Route(ONE_READER_STUDY, get=MANAGED),
    "analyses:reader_study_cases": Route(ONE_READER_STUDY, post=MANAGED),
    "analyses:reader_study_draw": Route(ONE_READER_STUDY, post=MANAGED),
    "analyses:reader_study_case_remove": Route((*ONE_READER_STUDY, "number"), post=MANAGED),
    "analyses:reader_study_readers": Route(ONE_READER_STUDY, post=MANAGED),
    "analyses:reader_study_reader_remove": Route((*ONE_READER_STUDY, "number"), post=MANAGED),
    "analyses:reader_study_start": Route(ONE_READER_STUDY, post=MANAGED),
    "analyses:reader_study_waive": Route(ONE_READER_STUDY, post=MANAGED),
    "analyses:reader_study_close": Route(ONE_READER_STUDY, post=MANAGED),
    "analyses:reader_study_export": Route(ONE_READER_STUDY, get=MANAGED),
    "analyses:assigned_reader_studies": Route(get=signed_in(*DOCTORS)),
    "analyses:reader_study_read": Route(ONE_READER_STUDY, get=of_department("doctor")),
    "analyses:reader_study_submit": Route(ONE_READING, post=of_department("doctor")),
    "analyses:reader_study_film": Route((*ONE_READING, "film"), get=of_department("doctor")),
    "analyses:reader_study_values": Route((*ONE_READING, "film"), get=of_department("doctor")),
}

TABLE: dict[str, Route] = {
    "livez": Route(get=everybody(), post=everybody()),
    "readyz": Route(get=everybody(), post=everybody()),
    "words": Route(("language", "version"), get=everybody()),
    "account_login": Route(get=everybody(), post=everybody()),
    "account_logout": Route(get=everybody(), post=everybody()),
    "account_inactive": Route(get=everybody()),
    "account_change_password": Route(get=signed_in(), post=signed_in()),
    "account_reset_password": Route(get=everybody(), post=everybody()),
    "account_reset_password_done": Route(get=everybody()),
    "account_reset_password_from_key": Route(("uidb36", "key"), get=everybody(), post=everybody()),
    "account_reset_password_from_key_done": Route(get=everybody()),
    "accounts:profile": Route(get=signed_in(), post=signed_in()),
    "accounts:own_name": Route(get=signed_in(), post=signed_in()),
    "accounts:session_left": Route(get=signed_in()),
    "accounts:tokens": Route(get=signed_in(*DOCTORS, "api_client"), post=signed_in(*DOCTORS, "api_client")),
    # The token in question is the doctor's own: nobody else but the administrator knows of it.
    "accounts:token_revoke": Route(
        ("token_id",),
        post=signed_in("doctor", "administrator") | dict.fromkeys(set(PEOPLE) - {"doctor", "administrator"}, HIDDEN),
    ),
    "accounts:people": Route(get=signed_in("administrator")),
    "accounts:person_new": Route(get=signed_in("administrator"), post=signed_in("administrator")),
    "accounts:person": Route(PERSON, get=signed_in("administrator"), post=signed_in("administrator")),
    "accounts:person_deactivate": Route(PERSON, post=signed_in("administrator")),
    "accounts:person_reactivate": Route(PERSON, post=signed_in("administrator")),
    "accounts:person_link": Route(PERSON, post=signed_in("administrator")),
    "accounts:person_token": Route(PERSON, post=signed_in("administrator")),
    "accounts:departments": Route(get=signed_in("administrator"), post=signed_in("administrator")),
    "accounts:department": Route(("department_id",), get=signed_in("administrator"), post=signed_in("administrator")),
    "accounts:settings": Route(get=signed_in("administrator"), post=signed_in("administrator")),
    "accounts:audit_log": Route(get=signed_in("auditor")),
    "accounts:audit_export": Route(get=signed_in("auditor")),
    "analyses:home": Route(get=signed_in()),
    "analyses:case_list": Route(get=signed_in(*DOCTORS)),
    "analyses:queue_rows": Route(get=signed_in(*DOCTORS)),
    "analyses:case_export": Route(get=signed_in(*DOCTORS)),
    # A view is its owner's: other doctors do not learn of it.
    "analyses:filter_save": Route(post=signed_in(*DOCTORS)),
    "analyses:filter_change": Route(("filter_id",), post=of_department("doctor")),
    "analyses:filter_delete": Route(("filter_id",), post=of_department("doctor")),
    **{
        f"analyses:{name}": Route(STUDY, post=of_department("doctor"))
        for name in ("case_start", "case_take_over", "case_release", "case_hand_over", "case_presence", "second_ask")
    },
    "analyses:case_next": Route(STUDY, get=of_department("doctor")),
    "analyses:second_answer": Route(("study_id", "second_id"), post=of_department("doctor")),
    "analyses:second_withdraw": Route(("study_id", "second_id"), post=of_department("doctor")),
    "analyses:notifications": Route(get=signed_in(*DOCTORS)),
    "analyses:notifications_read": Route(post=signed_in(*DOCTORS)),
    "analyses:notifications_choose": Route(post=signed_in(*DOCTORS)),
    "analyses:upload": Route(get=signed_in(*DOCTORS), post=signed_in(*DOCTORS)),
    "analyses:upload_groups": Route(post=signed_in(*DOCTORS)),
    "analyses:case": Route(STUDY, get=of_department("doctor")),
    "analyses:case_add": Route(STUDY, get=of_department("doctor"), post=of_department("doctor")),
    "analyses:case_assign": Route(STUDY, get=of_department("doctor"), post=of_department("doctor")),
    "analyses:case_edit": Route(STUDY, get=of_department("doctor"), post=of_department("doctor")),
    "analyses:case_reassign": Route(STUDY, get=of_department("doctor"), post=of_department("doctor")),
    "analyses:case_reading": Route(STUDY, post=of_department("doctor")),
    "analyses:case_addendum": Route(STUDY, post=of_department("doctor")),
    "analyses:reading_check": Route(STUDY, post=of_department("doctor")),
    "analyses:case_versions": Route(STUDY, get=of_department("doctor")),
    "analyses:case_refer": Route(STUDY, post=of_department("doctor")),
    "analyses:referral_download": Route(("referral_id",), get=of_department("doctor")),
    "analyses:reading_templates": Route(get=signed_in(*DOCTORS)),
    "analyses:reading_template_new": Route(get=signed_in(*DOCTORS), post=signed_in(*DOCTORS)),
    "analyses:reading_template": Route(("template_id",), get=of_department("doctor"), post=of_department("doctor")),
    "analyses:reading_template_retire": Route(("template_id",), post=of_department("doctor")),
    "analyses:unaided_open": Route(STUDY, post=of_department("doctor")),
    "analyses:unaided_draft": Route(STUDY, post=of_department("doctor")),
    "analyses:unaided_lock": Route(STUDY, post=of_department("doctor")),
    "analyses:case_panel": Route(BOTH, get=of_department("doctor")),
    "analyses:film_cancel": Route(BOTH, post=of_department("doctor")),
    "analyses:film_retry": Route(BOTH, post=of_department("doctor")),
    "analyses:film_confirm": Route(BOTH, post=of_department("doctor")),
    "analyses:film_move": Route(BOTH, get=of_department("doctor"), post=of_department("doctor")),
    "analyses:film_tags": Route(BOTH, get=of_department("doctor"), post=of_department("doctor")),
    "analyses:film_image": Route(FILM, get=of_department("doctor")),
    "analyses:film_saliency": Route(FILM, get=of_department("doctor")),
    "analyses:film_thumbnail": Route(FILM, get=of_department("doctor")),
    "analyses:film_values": Route(FILM, get=of_department("doctor")),
    "analyses:film_annotations": Route(FILM, get=of_department("doctor")),
    "analyses:annotation_add": Route(FILM, post=of_department("doctor")),
    "analyses:annotation_withdraw": Route(("annotation_id",), post=of_department("doctor")),
    "analyses:viewer": Route(STUDY, get=of_department("doctor")),
    "analyses:status": Route(get=signed_in("administrator")),
    "analyses:model": Route(get=signed_in(*DOWNLOADERS, "api_client", "administrator", "auditor")),
    "analyses:model_version": Route(
        ("model_key",), get=signed_in(*DOWNLOADERS, "api_client", "administrator", "auditor")
    ),
    "analyses:registry": Route(get=signed_in("administrator")),
    "analyses:model_activate": Route(post=signed_in("administrator")),
    "analyses:model_roll_back": Route(post=signed_in("administrator")),
    "analyses:model_compare": Route(post=signed_in("administrator")),
    "analyses:model_comparison": Route(
        ("comparison_id",), get=signed_in("administrator"), post=signed_in("administrator")
    ),
    **READER_STUDIES,
    "analyses:trials": Route(get=signed_in("administrator"), post=signed_in("administrator")),
    "analyses:trial_dictionary": Route(get=signed_in("administrator")),
    "analyses:trial": Route(("trial_id",), get=signed_in("administrator")),
    "analyses:trial_close": Route(("trial_id",), post=signed_in("administrator")),
    "analyses:trial_export": Route(("trial_id",), get=signed_in("administrator")),
    "analyses:report_list": Route(get=signed_in(*DOWNLOADERS)),
    "analyses:report_archive": Route(post=of_department("doctor", "clerk"), body=("case",)),
    "analyses:report_download": Route(("report_id",), get=ONE_REPORT),
    "analyses:case_report": Route(STUDY, get=ONE_REPORT),
    "analyses:verify": Route(get=everybody(), post=everybody()),
    "analyses:verify_lookup": Route(("sha256",), get=everybody()),
    "analyses:case_outcome": Route(STUDY, post=of_department("doctor")),
    "analyses:outcome_import": Route(get=signed_in(*DOCTORS), post=signed_in(*DOCTORS)),
    "analyses:outcome_template": Route(get=signed_in(*DOCTORS)),
    "analyses:performance": Route(get=signed_in(*DOCTORS)),
    "analyses:performance_rows": Route(get=signed_in(*DOCTORS)),
    "analyses:performance_dictionary": Route(get=signed_in(*DOCTORS)),
    "analyses:drift": Route(get=signed_in("administrator")),
    "analyses:alarm_acknowledge": Route(("alarm_id",), post=signed_in("administrator")),
    "analyses:acceptances": Route(get=MANAGED, post=MANAGED),
    "analyses:acceptance_run": Route(("run_id",), get=MANAGED),
    **{
        f"analyses:acceptance_{name}": Route(("run_id",), post=MANAGED)
        for name in ("films", "start", "cancel", "accept")
    },
    "analyses:acceptance_withdraw": Route(("acceptance_id",), post=MANAGED),
    "analyses:hold_set": Route(post=signed_in("administrator")),
    "analyses:hold_lift": Route(post=signed_in("administrator")),
    "api:analysis-list": Route(get=API_ALL, post=API_POST),
    "api:analysis-detail": Route(ONE, get=API_ONE),
    "api:analysis-report": Route(ONE, get=API_ONE),
    "api:analysis-image": Route(ONE, get=API_ONE),
    "api:analysis-saliency": Route(ONE, get=API_ONE),
    "api:analysis-cancel": Route(ONE, post=API_ONE),
    "api:analysis-retry": Route(ONE, post=API_ONE),
    "api:schema": Route(get=api(*PEOPLE, "token", "other_token", "doctor_token")),
    "api:docs": Route(get=signed_in()),
    # Any other address below /api/v1/: nothing is there for anybody.
    "api:no-such-address": Route(get=dict.fromkeys(CALLERS, HIDDEN), post=dict.fromkeys(CALLERS, HIDDEN)),
}


def keys_of_a_signed_case(doctor: User, api_client: User, own_token: ApiToken) -> dict[str, Any]:
    posted_by = api_client.api_tokens.get()
    study = StudyFactory(owner=doctor.department, created_by=api_client, api_token=posted_by)
    analysis = result("malignant", study=study, api_token=posted_by, **deep_values())
    Study.objects.filter(pk=study.pk).update(reading_state="final")
    study.refresh_from_db()
    Review.objects.create(study=study, reader=doctor, reading="malignant", signed_at=timezone.now())
    pdf = b"%PDF-1.7 as issued"
    report = Report.objects.create(
        study=study,
        revision=study.revision,
        kind="final",
        pdf_file=default_storage.save("reports/issued.pdf", ContentFile(pdf)),
        pdf_sha256=hashlib.sha256(pdf).hexdigest(),
        pdf_size_bytes=len(pdf),
        verification_code="AAAA-BBBB-CCCC-DDDD",
        issued_by=doctor,
    )
    reader_study, reading_id = an_open_reader_study(doctor, api_client)
    return {
        "reader_study_id": reader_study.pk,
        "reading_id": reading_id,
        "number": 1,
        "film": 1,
        "study_id": study.pk,
        "analysis_id": analysis.pk,
        "pk": analysis.pk,
        "report_id": report.pk,
        "sha256": report.pdf_sha256,
        "user_id": api_client.pk,
        "token_id": own_token.pk,
        "department_id": doctor.department_id,
        "uidb36": "1",
        "key": "no-such-key",
        "language": "de",
        "version": "of-no-matter",
        "case": study.pk,
        "annotation_id": Annotation.objects.create(
            image=analysis.image, author=doctor, kind="angle", points=[[0, 0], [0, 1], [1, 1]], values={"angle_deg": 90}
        ).pk,
        "model_key": default_model(),
        "second_id": SecondReading.objects.create(
            study=study, asked_by=doctor, reader=doctor, question="?", asked_at=timezone.now()
        ).pk,
        "filter_id": SavedFilter.objects.create(user=doctor, name="Mine").pk,
        "alarm_id": drift_alarm().pk,
        "referral_id": referral_of(study, doctor).pk,
        "template_id": ReadingTemplate.objects.create(
            department=doctor.department, name="Follow-up", created_by=doctor
        ).pk,
        "trial_id": Trial.objects.create(
            name="Trial", planned_cases=10, started_at=timezone.now(), started_by=doctor, closed_at=timezone.now()
        ).pk,
        "comparison_id": ModelComparison.objects.create(modality="DX", model_a="a-1", model_b="b-1", films=1).pk,
        **an_acceptance(doctor),
    }


def an_acceptance(doctor: User) -> dict[str, UUID]:
    about = {"department": doctor.department, "modality": "DX", "model_key": "a-1", "model_sha256": "a" * 64}
    point = {"operating_point": "balanced"}
    run = AcceptanceRun.objects.create(films_from="files", requested_by=doctor, **about, **point)
    cut_offs = {"name": "balanced", "tumour": 0.5, "malignant": 0.3}
    row = SiteAcceptance.objects.create(
        run=run, cut_offs=cut_offs, reason="tried", accepted_by=doctor, **about, **point
    )
    return {"run_id": run.pk, "acceptance_id": row.pk}


def drift_alarm() -> DriftAlarm:
    now = timezone.now()
    check = DriftCheck.objects.create(
        series="films", model_key="a-1", number=1, from_at=now, to_at=now, last_id=uuid4()
    )
    return DriftAlarm.objects.create(check_row=check, figure="grey mean", adjusted_p=0.001, psi=0.4)


def an_open_reader_study(doctor: User, uploader: User) -> tuple[ReaderStudy, UUID]:
    """A reader study of a case of its own, for its answers are closed to the reader, and the doctor's next reading."""
    case = StudyFactory(owner=doctor.department, created_by=uploader)
    last = UUID("ffffffff-ffff-4fff-8fff-ffffffffffff")  # where lists break ties by id
    result("benign", study=case, id=last, **deep_values())
    Study.objects.filter(pk=case.pk).update(reading_state="final")
    study = ReaderStudy.objects.create(
        department=case.department, name="Study", washout_days=28, state="open", created_by=doctor
    )
    row = study.cases.create(case=case, number=1, truth="malignant", films=take(case))
    reader = study.readers.create(user=doctor, number=1)
    for session, condition in ((1, "without"), (2, "with")):
        reader.readings.create(study_case=row, condition=condition, session=session, position=1)
    return study, open_next(reader, doctor).reading.pk


def referral_of(study: Study, doctor: User, archive: bytes = b"PK as made", **fields: Any) -> Referral:
    """A referral that this doctor made, without what is in one; `fields` say what is otherwise."""
    return Referral.objects.create(
        study=study,
        revision=study.revision,
        with_answer=True,
        films=1,
        archive_file=default_storage.save("referrals/made.zip", ContentFile(archive)),
        archive_sha256=hashlib.sha256(archive).hexdigest(),
        archive_size_bytes=len(archive),
        made_by=doctor,
        **{"reading_state": "final", "made_at": timezone.now()} | fields,
    )


def address(name: str, route: Route, keys: dict[str, Any]) -> str:
    if name == "api:no-such-address":
        return "/api/v1/nothing-here/"
    return reverse(name, kwargs={key: keys[key] for key in route.keys})
