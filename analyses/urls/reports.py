"""Addresses of reports and of the verification page; part of ``analyses.urls``."""

from django.urls import path

from analyses.reports import verify
from analyses.reports import views as reports

urlpatterns = [
    path("reports/", reports.report_list, name="report_list"),
    path("reports/archive/", reports.report_archive_view, name="report_archive"),
    path("reports/<uuid:report_id>.pdf", reports.report_download, name="report_download"),
    path("cases/<uuid:study_id>/report.pdf", reports.case_report, name="case_report"),
    path("verify/", verify.verify, name="verify"),
    path("verify/<str:sha256>/", verify.verify_lookup, name="verify_lookup"),
]
