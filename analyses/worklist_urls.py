"""Addresses of the worklist, of whose work a case is, of second readings and of notifications; part of ``analyses.urls``."""

from django.urls import path

from analyses.views import case_export, cases, saved_views

urlpatterns = [
    path("cases/", cases.case_list, name="case_list"),
    path("cases/rows/", cases.queue_rows, name="queue_rows"),
    path("cases/export.csv", case_export.case_export, name="case_export"),
    path("cases/views/", saved_views.view_save, name="view_save"),
    path("cases/views/<uuid:view_id>/", saved_views.view_change, name="view_change"),
    path("cases/views/<uuid:view_id>/delete/", saved_views.view_delete, name="view_delete"),
]
