"""Rows of accounts for tests."""

from datetime import timedelta
from typing import Any

import factory
from django.contrib.auth.hashers import make_password
from django.utils import timezone
from factory.django import DjangoModelFactory

from accounts.models import ApiToken, Department, RoleAssignment, User
from accounts.tokens import PREFIX_CHARS, START, digest_of

PASSWORD = "correct horse battery staple"
_hashed: list[str] = []


def hashed_password() -> str:
    """PASSWORD as the portal stores it; argon2 is slow on purpose, so it is hashed once for all tests."""
    if not _hashed:
        _hashed.append(make_password(PASSWORD))
    return _hashed[0]


class DepartmentFactory(DjangoModelFactory):
    class Meta:
        model = Department

    name = factory.Sequence(lambda n: f"Department {n}")


class UserFactory(DjangoModelFactory):
    """An account with PASSWORD; give ``roles=["doctor"]`` for what it may do."""

    class Meta:
        model = User
        skip_postgeneration_save = True

    email = factory.Sequence(lambda n: f"user{n}@example.org")
    department = factory.SubFactory(DepartmentFactory)
    password = factory.LazyFunction(hashed_password)

    @factory.post_generation
    def roles(self: User, create: bool, extracted: list[str] | None, **_: Any) -> None:
        if create:
            for role in extracted or []:
                RoleAssignment.objects.create(user=self, role=role)


class ApiTokenFactory(DjangoModelFactory):
    """A token whose text is ``plain``."""

    class Meta:
        model = ApiToken

    class Params:
        plain = factory.Sequence(lambda n: f"{START}{n:040d}")

    user = factory.SubFactory(UserFactory, roles=["api_client"])
    name = "test"
    prefix = factory.LazyAttribute(lambda made: made.plain[:PREFIX_CHARS])
    digest = factory.LazyAttribute(lambda made: digest_of(made.plain))
    created_by = factory.SelfAttribute("user")
    expires_at = factory.LazyFunction(lambda: timezone.now() + timedelta(days=30))
