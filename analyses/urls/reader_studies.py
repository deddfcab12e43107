"""Addresses of reader studies; part of ``analyses.urls``."""

from django.urls import path

from analyses.evidence.reader_studies import reader_views, views

ONE = "admin/reader-studies/<uuid:reader_study_id>/"

urlpatterns = [
    path("admin/reader-studies/", views.reader_studies, name="reader_studies"),
    path(ONE, views.reader_study, name="reader_study"),
    path(f"{ONE}cases/", views.cases_add, name="reader_study_cases"),
    path(f"{ONE}cases/draw/", views.cases_draw, name="reader_study_draw"),
    path(f"{ONE}cases/<int:number>/remove/", views.case_remove, name="reader_study_case_remove"),
    path(f"{ONE}readers/", views.reader_add, name="reader_study_readers"),
    path(f"{ONE}readers/<int:number>/remove/", views.reader_remove, name="reader_study_reader_remove"),
    path(f"{ONE}start/", views.start, name="reader_study_start"),
    path(f"{ONE}waive/", views.waive, name="reader_study_waive"),
    path(f"{ONE}close/", views.close, name="reader_study_close"),
    path(f"{ONE}readings.zip", views.export, name="reader_study_export"),
    path("reader-studies/", reader_views.assigned, name="assigned_reader_studies"),
    path("reader-studies/<uuid:reader_study_id>/", reader_views.read, name="reader_study_read"),
    path("reader-studies/readings/<uuid:reading_id>/submit/", reader_views.submit, name="reader_study_submit"),
    path("reader-studies/readings/<uuid:reading_id>/films/<int:film>.png", reader_views.film, name="reader_study_film"),
    path(
        "reader-studies/readings/<uuid:reading_id>/films/<int:film>.values",
        reader_views.values,
        name="reader_study_values",
    ),
]
