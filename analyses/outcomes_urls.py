"""Addresses of outcomes, site performance and the watch of the model; part of ``analyses.urls``."""

from django.urls import path

from analyses.views import outcomes

urlpatterns = [
    path("cases/<uuid:study_id>/outcome/", outcomes.case_outcome, name="case_outcome"),
    path("outcomes/import/", outcomes.outcome_import_page, name="outcome_import"),
    path("outcomes/template.csv", outcomes.outcome_template, name="outcome_template"),
]
