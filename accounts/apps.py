"""People and machines that sign in."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = "Accounts"

    def ready(self) -> None:
        from accounts.sign_in import signals  # noqa: F401  (connects sign-in events to the audit log)
