"""Addresses of the API, version 1."""

from django.urls import path, re_path

from analyses.api import views
from analyses.api.views import AnalysisViewSet

app_name = "api"

urlpatterns = [
    path("analyses/", AnalysisViewSet.as_view({"get": "list", "post": "create"}), name="analysis-list"),
    path("analyses/<uuid:pk>/", AnalysisViewSet.as_view({"get": "retrieve"}), name="analysis-detail"),
    path("analyses/<uuid:pk>/report.pdf", AnalysisViewSet.as_view({"get": "report"}), name="analysis-report"),
    path("analyses/<uuid:pk>/image.png", AnalysisViewSet.as_view({"get": "image"}), name="analysis-image"),
    path("analyses/<uuid:pk>/saliency.png", AnalysisViewSet.as_view({"get": "saliency"}), name="analysis-saliency"),
    path("analyses/<uuid:pk>/cancel/", AnalysisViewSet.as_view({"post": "cancel"}), name="analysis-cancel"),
    path("analyses/<uuid:pk>/retry/", AnalysisViewSet.as_view({"post": "retry"}), name="analysis-retry"),
    path("schema/", views.SchemaView.as_view(), name="schema"),
    path("docs/", views.docs, name="docs"),
    re_path(r"^", views.NoSuchAddress.as_view(), name="no-such-address"),
]
