"""Addresses of outcomes, site performance and the watch of the model; part of ``analyses.urls``."""

from django.urls import path

from analyses.views import holds, outcomes

urlpatterns = [
    path("cases/<uuid:study_id>/outcome/", outcomes.case_outcome, name="case_outcome"),
    path("outcomes/import/", outcomes.outcome_import_page, name="outcome_import"),
    path("outcomes/template.csv", outcomes.outcome_template, name="outcome_template"),
    path("admin/models/withhold/", holds.hold_set, name="hold_set"),
    path("admin/models/lift/", holds.hold_lift, name="hold_lift"),
]
