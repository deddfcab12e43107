"""Signing in and out, lock-outs, and setting passwords."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from smtplib import SMTPException

import pytest
import time_machine
from django.core import mail
from django.test import Client
from django.urls import NoReverseMatch, reverse
from structlog.testing import capture_logs

from accounts.models import AuditEvent, User
from accounts.services import deactivate, reactivate
from accounts.tests.factories import PASSWORD, UserFactory

pytestmark = pytest.mark.django_db
NEW = "another long passphrase"


@pytest.fixture
def stopped_clock():
    with time_machine.travel(1_800_000_000.5, tick=False) as traveller:
        yield traveller


def sign_in(client: Client, email: str, password: str = PASSWORD, **extra):
    return client.post(reverse("account_login"), {"login": email, "password": password}, **extra)


@pytest.fixture
def doctor(doctor: User) -> User:
    """One who has been asked for a name already."""
    doctor.name = "Anna Berg"
    doctor.save()
    return doctor


def actions() -> list[str]:
    return list(AuditEvent.objects.order_by("id").values_list("action", flat=True))


def test_a_person_signs_in_by_address_in_any_case_and_out(client, doctor):
    answer = sign_in(client, "Doctor@Example.org")
    assert answer.status_code == 302
    assert answer.url == "/"
    assert client.get(reverse("accounts:profile")).status_code == 200
    assert client.get(reverse("account_logout")).status_code == 200
    answer = client.post(reverse("account_logout"))
    # Neither cookies (of the whole domain) nor storage (the theme).
    assert answer["Clear-Site-Data"] == '"cache"'
    assert client.get(reverse("accounts:profile")).status_code == 302
    assert actions() == ["sign_in", "sign_out"]
    assert AuditEvent.objects.first().user == doctor


def test_passwords_are_hashed_with_argon2(doctor):
    doctor.set_password(NEW)
    assert doctor.password.startswith("argon2$argon2id$")


def test_signing_in_makes_a_new_session_key(client, doctor):
    client.get(reverse("account_reset_password_from_key", kwargs={"uidb36": "1", "key": "x"}))
    session = client.session
    session["planted"] = "by somebody else"
    session.save()
    planted = session.session_key
    sign_in(client, doctor.email)
    assert client.session.session_key != planted


@pytest.mark.parametrize("elsewhere", ["https://evil.example.org/", "http://[", "\x00"])
def test_a_person_returns_to_the_page_that_asked_but_never_to_another_host(client, doctor, elsewhere):
    answer = client.post(reverse("account_login"), {"login": doctor.email, "password": PASSWORD, "next": "/cases/?q=7"})
    assert answer.url == "/cases/?q=7"
    client.post(reverse("account_logout"))
    answer = client.post(reverse("account_login"), {"login": doctor.email, "password": PASSWORD, "next": elsewhere})
    assert answer.url == "/"


@pytest.mark.parametrize(
    ("email", "reason"),
    [
        ("doctor@example.org", "wrong_password"),
        ("nobody@example.org", "unknown_address"),
        ("gone@example.org", "inactive"),
    ],
)
def test_a_failed_attempt_is_recorded_and_says_nothing_about_the_account(client, doctor, email, reason):
    UserFactory(email="gone@example.org", is_active=False)
    answer = sign_in(client, email, "wrong password entirely")
    assert answer.status_code == 200
    assert "E-mail address or password is incorrect." in answer.content.decode()
    event = AuditEvent.objects.get()
    assert (event.action, event.allowed, event.user_label, event.user) == ("sign_in_failed", False, email, None)
    assert event.detail == {"reason": reason}


def test_the_sixth_attempt_meets_a_calm_page_even_with_the_right_password(client, doctor, stopped_clock):
    for _ in range(5):
        assert sign_in(client, doctor.email, "wrong password entirely").status_code == 200
    answer = sign_in(client, doctor.email)
    assert answer.status_code == 429
    assert answer["Retry-After"] == "300"
    assert "Too many attempts" in answer.content.decode()
    assert AuditEvent.objects.first().detail == {"reason": "too_many_attempts"}
    assert client.get(reverse("accounts:profile")).status_code == 302


def comes_back(traveller, again) -> None:
    """Whoever waits as long as was said is let in, and a second less is too early."""
    answer = again()
    assert answer.status_code == 429
    wait_s = int(answer["Retry-After"])
    traveller.shift(wait_s - 1)
    early = again()
    assert (early.status_code, early["Retry-After"]) == (429, "1")
    traveller.shift(1)
    assert again().status_code in (200, 302)


def test_a_locked_account_is_told_the_seconds_that_are_left(client, doctor, stopped_clock):
    for _ in range(5):
        sign_in(client, doctor.email, "wrong password entirely")
        stopped_clock.shift(10)
    answer = sign_in(client, doctor.email)
    assert answer["Retry-After"] == "250"
    assert "blocked for 5 minutes" in answer.content.decode()
    comes_back(stopped_clock, lambda: sign_in(client, doctor.email))


def test_an_address_that_tried_many_accounts_is_told_the_rest_of_its_minute(client, doctor, stopped_clock):
    for number in range(10):
        sign_in(client, f"user{number}@example.org", "wrong password entirely")
        stopped_clock.shift(2.25)
    answer = sign_in(client, doctor.email)
    assert answer["Retry-After"] == "38"
    assert "blocked for 1 minute to" in answer.content.decode()
    comes_back(stopped_clock, lambda: sign_in(client, doctor.email))


def test_too_many_attempts_of_one_address_are_told_when_to_come_back(client, doctor, stopped_clock):
    for _ in range(30):
        sign_in(client, doctor.email, "")
        stopped_clock.shift(1)
    assert sign_in(client, doctor.email)["Retry-After"] == "30"
    assert sign_in(client, doctor.email, headers={"Accept": "application/json"}).json()["code"] == "throttled"
    comes_back(stopped_clock, lambda: sign_in(client, doctor.email))


def test_too_many_requests_for_a_link_are_told_when_to_come_back(client, doctor, stopped_clock):
    def ask():
        return client.post(reverse("account_reset_password"), {"email": "Doctor@example.org"})

    for _ in range(5):
        assert ask().status_code == 302
        stopped_clock.shift(3)
    assert ask()["Retry-After"] == "45"
    comes_back(stopped_clock, ask)


def test_a_lock_out_of_one_account_does_not_lock_another(client, doctor, clerk):
    for _ in range(6):
        sign_in(client, doctor.email, "wrong password entirely")
    assert sign_in(client, clerk.email).status_code == 302


def test_one_address_cannot_try_many_accounts(client, doctor):
    answers = [sign_in(client, f"user{n}@example.org", "wrong password entirely").status_code for n in range(12)]
    assert answers == [200] * 10 + [429] * 2
    assert sign_in(client, doctor.email, REMOTE_ADDR="192.0.2.77").status_code == 302


def test_attempts_of_one_address_are_limited_before_any_password_is_looked_at(client, doctor):
    answers = [sign_in(client, doctor.email, "").status_code for _ in range(31)]
    assert answers == [200] * 30 + [429]
    assert sign_in(client, doctor.email).status_code == 429


def test_a_deactivated_account_with_the_right_password_is_told_so(client):
    UserFactory(email="gone@example.org", is_active=False)
    answer = sign_in(client, "gone@example.org")
    assert answer.url == reverse("account_inactive")
    assert "deactivated" in client.get(answer.url).content.decode()
    assert client.get(reverse("accounts:profile")).status_code == 302


def test_deactivation_ends_sessions_for_good(client, doctor, clerk, administrator):
    other = Client()
    other.force_login(clerk)
    client.force_login(doctor)
    deactivate(doctor, by=administrator)
    reactivate(doctor, by=administrator)
    assert client.get(reverse("accounts:profile")).status_code == 302
    assert other.get(reverse("accounts:profile")).status_code == 200
    assert AuditEvent.objects.get(action="person_deactivated").detail["sessions_ended"] == 1


def test_nobody_signs_up_or_adds_addresses_by_himself(client, doctor):
    for name in ("account_signup", "account_email"):
        with pytest.raises(NoReverseMatch):
            reverse(name)
    client.force_login(doctor)
    assert client.get("/accounts/signup/").status_code == 404
    assert client.get("/accounts/email/").status_code == 404


def change(client: Client, old: str, new: str, again: str | None = None):
    fields = {"oldpassword": old, "password1": new, "password2": again or new}
    return client.post(reverse("account_change_password"), fields)


def test_a_changed_password_ends_the_other_sessions_and_keeps_this_one(client, doctor):
    other = Client()
    other.force_login(doctor)
    client.force_login(doctor)
    assert change(client, PASSWORD, NEW).url == reverse("accounts:profile")
    assert client.get(reverse("accounts:profile")).status_code == 200
    assert other.get(reverse("accounts:profile")).status_code == 302
    assert User.objects.get(pk=doctor.pk).check_password(NEW)
    assert "password_changed" in actions()


@pytest.mark.parametrize("weak", ["short", "123456789012345", "password1234", "doctor@example.org"])
def test_weak_passwords_are_refused(client, doctor, weak):
    client.force_login(doctor)
    assert change(client, PASSWORD, weak).status_code == 200
    assert User.objects.get(pk=doctor.pk).check_password(PASSWORD)


def test_the_old_password_is_needed_to_change_it(client, doctor):
    client.force_login(doctor)
    assert change(client, "not the old one", NEW).status_code == 200
    assert User.objects.get(pk=doctor.pk).check_password(PASSWORD)


def ask_for_reset(client: Client, email: str, **extra):
    return client.post(reverse("account_reset_password"), {"email": email}, **extra)


def reset(client: Client, path: str, password: str):
    answer = client.get(path, follow=True)
    return client.post(answer.request["PATH_INFO"], {"password1": password, "password2": password})


def test_a_forgotten_password_is_set_by_a_link_that_works_once(client, doctor, settings):
    settings.PUBLIC_URL = "https://bonescan.example.org"
    other = Client()
    other.force_login(doctor)
    for _ in range(6):
        sign_in(client, doctor.email, "wrong password entirely")
    assert ask_for_reset(client, doctor.email).url == reverse("account_reset_password_done")
    (message,) = mail.outbox
    assert message.to == [doctor.email]
    link = re.search(r"https://bonescan\.example\.org(/\S+)", message.body).group(1)
    assert reset(client, link, NEW).url == reverse("account_reset_password_from_key_done")
    assert other.get(reverse("accounts:profile")).status_code == 302
    assert sign_in(client, doctor.email, NEW).status_code == 302
    assert "password_reset" in actions()
    assert "no longer valid" in Client().get(link, follow=True).content.decode()


def test_the_link_does_not_follow_the_host_header(client, doctor, settings):
    settings.ALLOWED_HOSTS = ["*"]
    ask_for_reset(client, doctor.email, headers={"Host": "evil.example.org"})
    assert "evil" not in mail.outbox[0].body
    assert settings.PUBLIC_URL in mail.outbox[0].body


def test_an_unknown_or_deactivated_address_gets_the_same_answer_and_no_mail(client, doctor):
    UserFactory(email="gone@example.org", is_active=False)
    pages = []
    for email in (doctor.email, "nobody@example.org", "gone@example.org"):
        answer = ask_for_reset(client, email)
        pages.append((answer.status_code, answer.url))
    assert len(set(pages)) == 1
    assert [message.to for message in mail.outbox] == [[doctor.email]]


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "Ask an administrator of the portal for a link to set a new password."),
        ("de", "Bitten Sie eine Administratorin oder einen Administrator des Portals um einen Link"),
    ],
)
@pytest.mark.parametrize("backend", ["accounts.mail.DroppedMail", "django.core.mail.backends.console.EmailBackend"])
def test_without_mail_nobody_resets_a_password_alone_and_the_page_says_whom_to_ask(
    client, doctor, administrator, settings, capfd, caplog, language, said, backend
):
    from accounts.services import change_settings

    change_settings(institution_name="Clinic", contact="Tel. 4711", tumour_centre="", by=administrator)
    settings.EMAIL_BACKEND = backend
    headers = {"Accept-Language": language}
    known, unknown = (ask_for_reset(client, email, headers=headers) for email in (doctor.email, "nobody@example.org"))
    for answer in (client.get(reverse("account_reset_password"), headers=headers), known, unknown):
        page = answer.content.decode()
        assert answer.status_code == 200
        assert said in page
        assert "Tel. 4711" in page
        assert 'name="email"' not in page
    assert client.get(reverse("account_reset_password_done")).url == reverse("account_reset_password")
    logged = "".join([*capfd.readouterr(), caplog.text])
    assert "password/reset/key" not in logged
    assert doctor.email not in logged


def test_a_dropped_mail_leaves_nothing_of_itself_in_the_log(settings, capfd, caplog):
    settings.EMAIL_BACKEND = "accounts.mail.DroppedMail"
    with capture_logs() as lines:
        mail.send_mail("a subject", "a secret link", "from@example.org", ["to@example.org"])
    assert lines == [{"event": "mail_dropped", "log_level": "info"}]
    assert "".join([*capfd.readouterr(), caplog.text]) == ""


@pytest.mark.parametrize("fault", [OSError("to doctor@example.org"), SMTPException("doctor@example.org"), ValueError()])
def test_while_the_mail_server_is_away_every_address_gets_the_same_answer(client, doctor, monkeypatch, fault):
    def away(*args, **kwargs):
        raise fault

    monkeypatch.setattr("django.core.mail.backends.locmem.EmailBackend.send_messages", away)
    UserFactory(email="gone@example.org", is_active=False)
    answers = set()
    with capture_logs() as lines:
        for email in (doctor.email, "nobody@example.org", "gone@example.org"):
            answer = ask_for_reset(client, email)
            answers.add((answer.status_code, answer.url, client.get(answer.url).content))
    assert len(answers) == 1
    (line,) = [line for line in lines if line["event"] == "reset_not_mailed"]
    assert (line["user_id"], line["error"]) == (str(doctor.pk), type(fault).__name__)
    assert "@" not in str(lines)


def test_nobody_waits_for_a_mail_server_that_hangs(client, doctor, monkeypatch):
    asked, answered = threading.Event(), threading.Event()

    def hang(*args, **kwargs):
        asked.set()
        return answered.wait(30)

    monkeypatch.setattr("django.core.mail.backends.locmem.EmailBackend.send_messages", hang)
    with ThreadPoolExecutor(1) as pool:
        monkeypatch.setattr("accounts.mail._pool", pool)
        try:
            assert ask_for_reset(client, doctor.email).status_code == 302  # while the server still hangs
            assert asked.wait(30)
            assert not answered.is_set()
        finally:
            answered.set()


def test_a_new_person_sets_the_first_password_by_the_administrators_link(client, department):
    from accounts.services import create_person, password_link

    person = create_person(email="new@example.org", roles=["doctor"], department=department, by=None)
    path = password_link(person).removeprefix("http://127.0.0.1:8000")
    assert sign_in(client, person.email, "").status_code == 200
    assert reset(client, path, NEW).status_code == 302
    assert sign_in(client, person.email, NEW).status_code == 302


def test_the_sign_in_page_names_the_installation_and_its_help(client, administrator):
    from accounts.services import change_settings

    change_settings(institution_name="Clinic <1>", contact="Tel. 4711", tumour_centre="", by=administrator)
    page = client.get(reverse("account_login")).content.decode()
    assert "Clinic &lt;1&gt;" in page
    assert "Tel. 4711" in page
