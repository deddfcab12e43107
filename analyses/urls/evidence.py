"""Addresses of outcomes, site performance, site acceptance and drift monitoring; part of ``analyses.urls``."""

from django.urls import path

from analyses.evidence.acceptance import views as acceptance
from analyses.evidence.drift import views as drift
from analyses.evidence.outcomes import views as outcomes
from analyses.evidence.performance import views as performance
from analyses.model_pages import holds

urlpatterns = [
    path("cases/<uuid:study_id>/outcome/", outcomes.case_outcome, name="case_outcome"),
    path("outcomes/import/", outcomes.outcome_import_page, name="outcome_import"),
    path("outcomes/template.csv", outcomes.outcome_template, name="outcome_template"),
    path("admin/models/withhold/", holds.hold_set, name="hold_set"),
    path("admin/models/lift/", holds.hold_lift, name="hold_lift"),
    path("performance/", performance.performance, name="performance"),
    path("performance/rows.csv", performance.performance_rows, name="performance_rows"),
    path("performance/dictionary.csv", performance.performance_dictionary, name="performance_dictionary"),
    path("admin/acceptance/", acceptance.acceptances, name="acceptances"),
    path("admin/acceptance/<uuid:run_id>/", acceptance.acceptance_run, name="acceptance_run"),
    path("admin/acceptance/<uuid:run_id>/films/", acceptance.acceptance_films, name="acceptance_films"),
    path("admin/acceptance/<uuid:run_id>/start/", acceptance.acceptance_start, name="acceptance_start"),
    path("admin/acceptance/<uuid:run_id>/cancel/", acceptance.acceptance_cancel, name="acceptance_cancel"),
    path("admin/acceptance/<uuid:run_id>/accept/", acceptance.acceptance_accept, name="acceptance_accept"),
    path(
        "admin/acceptance/accepted/<uuid:acceptance_id>/withdraw/",
        acceptance.acceptance_withdraw,
        name="acceptance_withdraw",
    ),
    path("admin/drift/", drift.drift, name="drift"),
    path("admin/drift/alarms/<uuid:alarm_id>/answer/", drift.alarm_acknowledge, name="alarm_acknowledge"),
]
