"""The addresses of allauth that are used here.

Its others stay unmounted: with them people could sign up, or add e-mail addresses to an account by themselves.
"""

from allauth.account import views
from django.urls import path, re_path

from accounts.sign_in.views import Logout, PasswordReset, PasswordResetDone

urlpatterns = [
    path("login/", views.login, name="account_login"),
    path("logout/", Logout.as_view(), name="account_logout"),
    path("inactive/", views.account_inactive, name="account_inactive"),
    path("password/change/", views.password_change, name="account_change_password"),
    path("password/reset/", PasswordReset.as_view(), name="account_reset_password"),
    path("password/reset/done/", PasswordResetDone.as_view(), name="account_reset_password_done"),
    re_path(
        r"^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
        views.password_reset_from_key,
        name="account_reset_password_from_key",
    ),
    path("password/reset/key/done/", views.password_reset_from_key_done, name="account_reset_password_from_key_done"),
]
