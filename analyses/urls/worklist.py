"""Addresses of the worklist, of readers, second readings and notifications; part of ``analyses.urls``."""

from django.urls import path

from analyses.case_page import assignment, second_reading
from analyses.notifications import views as notifications
from analyses.worklist import export, saved_filter_views
from analyses.worklist import views as worklist

urlpatterns = [
    path("cases/", worklist.case_list, name="case_list"),
    path("cases/rows/", worklist.queue_rows, name="queue_rows"),
    path("cases/export.csv", export.case_export, name="case_export"),
    path("cases/views/", saved_filter_views.filter_save, name="filter_save"),
    path("cases/views/<uuid:filter_id>/", saved_filter_views.filter_change, name="filter_change"),
    path("cases/views/<uuid:filter_id>/delete/", saved_filter_views.filter_delete, name="filter_delete"),
    path("cases/<uuid:study_id>/start/", assignment.case_start, name="case_start"),
    path("cases/<uuid:study_id>/take-over/", assignment.case_take_over, name="case_take_over"),
    path("cases/<uuid:study_id>/release/", assignment.case_release, name="case_release"),
    path("cases/<uuid:study_id>/hand-over/", assignment.case_hand_over, name="case_hand_over"),
    path("cases/<uuid:study_id>/presence/", assignment.case_presence, name="case_presence"),
    path("cases/<uuid:study_id>/next/", assignment.case_next, name="case_next"),
    path("cases/<uuid:study_id>/second/", second_reading.second_ask, name="second_ask"),
    path("cases/<uuid:study_id>/second/<uuid:second_id>/", second_reading.second_answer, name="second_answer"),
    path(
        "cases/<uuid:study_id>/second/<uuid:second_id>/withdraw/",
        second_reading.second_withdraw,
        name="second_withdraw",
    ),
    path("notifications/", notifications.notifications, name="notifications"),
    path("notifications/read/", notifications.notifications_read, name="notifications_read"),
    path("notifications/choices/", notifications.notifications_choose, name="notifications_choose"),
]
