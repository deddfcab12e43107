"""Every address of the portal."""

from django.urls import include, path

from bonescan import views
from bonescan.words import Words

urlpatterns = [
    path("livez", views.livez, name="livez"),
    path("readyz", views.readyz, name="readyz"),
    path("words/<slug:language>/<slug:version>.js", Words.as_view(), name="words"),
    path("accounts/", include("accounts.sign_in.urls")),
    path("api/v1/", include("analyses.api.urls")),
    path("", include("accounts.urls")),
    path("", include("analyses.urls")),
]

handler400 = "bonescan.views.bad_request"
handler403 = "bonescan.views.permission_denied"
handler404 = "bonescan.views.not_found"
handler429 = "bonescan.views.too_many_requests"
handler500 = "bonescan.views.server_error"
