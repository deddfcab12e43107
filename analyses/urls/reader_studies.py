"""Addresses of reader studies; part of ``analyses.urls``."""

from django.urls import path

from analyses.evidence.reader_studies import reader_views as read
from analyses.evidence.reader_studies import views as manage

ONE = "admin/reader-studies/<uuid:reader_study_id>/"

urlpatterns = [
    path("admin/reader-studies/", manage.reader_studies, name="reader_studies"),
    path(ONE, manage.reader_study, name="reader_study"),
    path(f"{ONE}cases/", manage.cases_add, name="reader_study_cases"),
    path(f"{ONE}cases/draw/", manage.cases_draw, name="reader_study_draw"),
    path(f"{ONE}cases/<int:number>/remove/", manage.case_remove, name="reader_study_case_remove"),
    path(f"{ONE}readers/", manage.reader_add, name="reader_study_readers"),
    path(f"{ONE}readers/<int:number>/remove/", manage.reader_remove, name="reader_study_reader_remove"),
    path(f"{ONE}start/", manage.start, name="reader_study_start"),
    path(f"{ONE}waive/", manage.waive, name="reader_study_waive"),
    path(f"{ONE}close/", manage.close, name="reader_study_close"),
    path(f"{ONE}readings.zip", manage.export, name="reader_study_export"),
    path("reader-studies/", read.assigned, name="assigned_reader_studies"),
    path("reader-studies/<uuid:reader_study_id>/", read.read, name="reader_study_read"),
    path("reader-studies/readings/<uuid:reading_id>/submit/", read.submit, name="reader_study_submit"),
    path("reader-studies/readings/<uuid:reading_id>/films/<int:film>.png", read.film, name="reader_study_film"),
    path("reader-studies/readings/<uuid:reading_id>/films/<int:film>.values", read.values, name="reader_study_values"),
]
