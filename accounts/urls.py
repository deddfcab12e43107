"""Addresses of the account, people, departments, settings and audit pages."""

from django.urls import path

from accounts.views import account, audit_log, installation, people

app_name = "accounts"
urlpatterns = [
    path("account/", account.profile, name="profile"),
    path("account/name/", account.own_name, name="own_name"),
    path("account/session/", account.session_left, name="session_left"),
    path("account/tokens/", account.tokens, name="tokens"),
    path("account/tokens/<uuid:token_id>/revoke/", account.token_revoke, name="token_revoke"),
    path("admin/people/", people.people, name="people"),
    path("admin/people/new/", people.person_new, name="person_new"),
    path("admin/people/<uuid:user_id>/", people.person, name="person"),
    path("admin/people/<uuid:user_id>/deactivate/", people.person_deactivate, name="person_deactivate"),
    path("admin/people/<uuid:user_id>/reactivate/", people.person_reactivate, name="person_reactivate"),
    path("admin/people/<uuid:user_id>/link/", people.person_link, name="person_link"),
    path("admin/people/<uuid:user_id>/token/", people.person_token, name="person_token"),
    path("admin/departments/", installation.departments, name="departments"),
    path("admin/departments/<uuid:department_id>/", installation.department, name="department"),
    path("admin/settings/", installation.settings, name="settings"),
    path("audit/", audit_log.audit_log, name="audit_log"),
    path("audit/export.csv", audit_log.audit_export, name="audit_export"),
]
