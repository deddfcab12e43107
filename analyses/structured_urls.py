"""Addresses of the structured reading; part of ``analyses.urls``."""

from django.urls import path

from analyses.views import reading

urlpatterns = [
    path("cases/<uuid:study_id>/reading/", reading.case_reading, name="case_reading"),
    path("cases/<uuid:study_id>/reading/check/", reading.reading_check, name="reading_check"),
    path("cases/<uuid:study_id>/addendum/", reading.case_addendum, name="case_addendum"),
    path("cases/<uuid:study_id>/versions/", reading.case_versions, name="case_versions"),
]
