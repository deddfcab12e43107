"""People and machines that sign in, what they may do, and the log of what they did."""

import uuid
from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _


class OperatingPointChoice(models.TextChoices):
    """Which cut-offs of the model a department works with; the model's card says what each is worth."""

    BALANCED = "balanced", _("Balanced")
    RULE_OUT = "rule_out", _("Rule-out")


class ReadingMode(models.TextChoices):
    """When a department's doctors see the model's answer."""

    AT_ONCE = "at_once", _("Answer at once")
    OWN_FIRST = "own_first", _("Answer after my unaided reading")
    TRIAL = "trial", _("Trial: answer shown or hidden at random")


class UnacceptedAnswers(models.TextChoices):
    """What a department does with answers of a model that it has not accepted."""

    SHOWN = "shown", _("Shown, marked as not accepted at this site")
    WITHHELD = "withheld", _("Withheld")


class Language(models.TextChoices):
    """The languages of pages, reports and letters; each name in its own language, as in ``settings.LANGUAGES``."""

    ENGLISH = "en-gb", "English"
    GERMAN = "de", "Deutsch"


class Department(models.Model):
    """A clinical department: the border of every patient's record."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=120, unique=True)
    is_active = models.BooleanField(default=True)
    operating_point = models.CharField(
        max_length=20, choices=OperatingPointChoice.choices, default=OperatingPointChoice.BALANCED
    )
    reading_mode = models.CharField(max_length=12, choices=ReadingMode.choices, default=ReadingMode.AT_ONCE)
    # Whether a case is read only once every film has its answer.
    waits_for_answers = models.BooleanField(default=False)
    unaccepted_answers = models.CharField(
        max_length=12, choices=UnacceptedAnswers.choices, default=UnacceptedAnswers.SHOWN
    )
    # Of reports and letters, and of the pages of whoever chose none.
    language = models.CharField(max_length=5, choices=Language.choices, default=Language.ENGLISH)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name


class Role(models.TextChoices):
    """What a person or machine is here; one may have several roles."""

    DOCTOR = "doctor", _("Doctor")
    CLERK = "clerk", _("Report clerk")
    API_CLIENT = "api_client", _("API client")
    ADMINISTRATOR = "administrator", _("Administrator")
    AUDITOR = "auditor", _("Auditor")


class UserQuerySet(models.QuerySet):
    """Accounts."""

    def active(self) -> "UserQuerySet":
        return self.filter(is_active=True)


class UserManager(BaseUserManager.from_queryset(UserQuerySet)):  # type: ignore[misc]
    """Makes users by e-mail address; kept for Django's own commands and the tests."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user


class User(AbstractBaseUser):
    """A person or machine that signs in by e-mail. Table ``users``."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    email = models.EmailField(unique=True, max_length=254)
    name = models.CharField("display name", max_length=150, blank=True)
    # What stands before the name where somebody signs: an academic title.
    title = models.CharField(max_length=60, blank=True)
    department = models.ForeignKey(Department, null=True, blank=True, on_delete=models.PROTECT, related_name="users")
    language = models.CharField(max_length=5, choices=Language.choices, blank=True)  # empty: the department's
    is_active = models.BooleanField(default=True)
    date_joined = models.DateTimeField(default=timezone.now)

    objects = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        db_table = "users"
        ordering: ClassVar = ["email"]

    def __str__(self) -> str:
        return self.name or self.email

    @property
    def signing_name(self) -> str:
        """Title and name, as a signature shows them; the address of an account without a name."""
        return f"{self.title} {self.name}".strip() if self.name else self.email

    @cached_property
    def roles(self) -> frozenset[str]:
        """The roles of this user, read once per instance."""
        return frozenset(self.role_assignments.values_list("role", flat=True))

    def has_role(self, role: str) -> bool:
        return role in self.roles


class RoleAssignment(models.Model):
    """One role of one user."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="role_assignments")
    role = models.CharField(max_length=20, choices=Role.choices)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["user", "role"], name="one_assignment_per_role")]

    def __str__(self) -> str:
        return f"{self.user_id}: {self.role}"


class ApiTokenQuerySet(models.QuerySet):
    """Tokens."""

    def usable(self) -> "ApiTokenQuerySet":
        """Neither revoked nor expired, and their user is active."""
        in_time = Q(expires_at__isnull=True) | Q(expires_at__gt=timezone.now())
        return self.filter(in_time, revoked_at__isnull=True, user__is_active=True)

    def for_user(self, user: User) -> "ApiTokenQuerySet":
        """An administrator sees all tokens, anybody else the own ones."""
        return self if user.has_role(Role.ADMINISTRATOR) else self.filter(user=user)


class ApiToken(models.Model):
    """A machine's key. Only its SHA-256 digest is stored; the token itself is shown once."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=120)
    prefix = models.CharField(max_length=12)
    digest = models.CharField(max_length=64, unique=True)
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = ApiTokenQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @property
    def is_usable(self) -> bool:
        """Neither revoked nor past its expiry, and its user is active."""
        in_time = self.expires_at is None or self.expires_at > timezone.now()
        return self.revoked_at is None and in_time and self.user.is_active


class AuditEventQuerySet(models.QuerySet):
    """The log: rows are added, never changed and never deleted."""

    def update(self, **_values: Any) -> int:
        raise TypeError("audit events are never changed")

    def delete(self) -> tuple[int, dict[str, int]]:
        raise TypeError("audit events are never deleted")

    def for_user(self, user: User) -> "AuditEventQuerySet":
        """Auditors read the whole log; nobody else reads it as a log."""
        return self if user.has_role(Role.AUDITOR) else self.none()


class AuditEvent(models.Model):
    """One thing that somebody did, or was refused. Rows are only ever added."""

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField(default=timezone.now, db_index=True)
    action = models.CharField(max_length=40, db_index=True)
    allowed = models.BooleanField(default=True)
    user = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="audit_events")
    user_label = models.CharField(max_length=254, blank=True)
    token = models.ForeignKey(ApiToken, null=True, on_delete=models.PROTECT, related_name="+")
    department = models.ForeignKey(Department, null=True, on_delete=models.PROTECT, related_name="+")
    object_type = models.CharField(max_length=40, blank=True)
    object_id = models.CharField(max_length=64, blank=True)
    # The study the event belongs to, for the trail on its case page (no foreign key: this app knows no sibling).
    case_id = models.UUIDField(null=True, db_index=True)
    # Whatever could name the patient (record number, search words); masked wherever an auditor sees it.
    subject = models.CharField(max_length=200, blank=True)
    detail = models.JSONField(default=dict)
    request_id = models.CharField(max_length=64, blank=True)
    ip_address = models.GenericIPAddressField(null=True)

    objects = AuditEventQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-at", "-id"]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.action}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("audit events are never changed")
        super().save(*args, **kwargs)

    def delete(self, *_args: Any, **_kwargs: Any) -> tuple[int, dict[str, int]]:
        raise TypeError("audit events are never deleted")


class PortalSettings(models.Model):
    """What an administrator sets on the settings page; one row with id 1."""

    institution_name = models.CharField(max_length=150, default="BoneScan trial installation")
    contact = models.CharField("contact line for people who need help", max_length=200, blank=True)
    tumour_centre = models.CharField("bone tumour centre to refer to", max_length=200, blank=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name_plural = "portal settings"

    def __str__(self) -> str:
        return self.institution_name
