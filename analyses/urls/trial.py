"""Addresses of the unaided reading and of trials; part of ``analyses.urls``."""

from django.urls import path

from analyses.case_page import unaided_reading
from analyses.evidence.trial import views as trials

urlpatterns = [
    path("admin/trial/", trials.trials, name="trials"),
    path("admin/trial/dictionary.csv", trials.trial_dictionary, name="trial_dictionary"),
    path("admin/trial/<uuid:trial_id>/", trials.trial, name="trial"),
    path("admin/trial/<uuid:trial_id>/close/", trials.trial_close, name="trial_close"),
    path("admin/trial/<uuid:trial_id>/export.csv", trials.trial_export, name="trial_export"),
    path("cases/<uuid:study_id>/own/open/", unaided_reading.unaided_open, name="unaided_open"),
    path("cases/<uuid:study_id>/own/draft/", unaided_reading.unaided_draft, name="unaided_draft"),
    path("cases/<uuid:study_id>/own/lock/", unaided_reading.unaided_lock, name="unaided_lock"),
]
