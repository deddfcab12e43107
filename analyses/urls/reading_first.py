"""Addresses of the own reading before the model's answer, and of trials; part of ``analyses.urls``."""

from django.urls import path

from analyses.views import own_reading, trials

urlpatterns = [
    path("admin/trial/", trials.trials, name="trials"),
    path("admin/trial/dictionary.csv", trials.trial_dictionary, name="trial_dictionary"),
    path("admin/trial/<uuid:trial_id>/", trials.trial, name="trial"),
    path("admin/trial/<uuid:trial_id>/close/", trials.trial_close, name="trial_close"),
    path("admin/trial/<uuid:trial_id>/export.csv", trials.trial_export, name="trial_export"),
    path("cases/<uuid:study_id>/own/open/", own_reading.own_open, name="own_open"),
    path("cases/<uuid:study_id>/own/draft/", own_reading.own_draft, name="own_draft"),
    path("cases/<uuid:study_id>/own/lock/", own_reading.own_lock, name="own_lock"),
]
