"""Addresses of reports and of the verification page; part of ``analyses.urls``."""

from django.urls import path

from analyses import report_views, verify_views

urlpatterns = [
    path("reports/", report_views.report_list, name="report_list"),
    path("reports/archive/", report_views.report_archive_view, name="report_archive"),
    path("reports/<uuid:report_id>.pdf", report_views.report_download, name="report_download"),
    path("cases/<uuid:study_id>/report.pdf", report_views.case_report, name="case_report"),
    path("verify/", verify_views.verify, name="verify"),
    path("verify/<str:sha256>/", verify_views.verify_lookup, name="verify_lookup"),
]
