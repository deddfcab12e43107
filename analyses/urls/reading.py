"""Addresses of readings, referrals and reading templates; part of ``analyses.urls``."""

from django.urls import path

from analyses.case_page import reading, reading_templates, referral

urlpatterns = [
    path("cases/<uuid:study_id>/reading/", reading.case_reading, name="case_reading"),
    path("cases/<uuid:study_id>/reading/check/", reading.reading_check, name="reading_check"),
    path("cases/<uuid:study_id>/addendum/", reading.case_addendum, name="case_addendum"),
    path("cases/<uuid:study_id>/versions/", reading.case_versions, name="case_versions"),
    path("cases/<uuid:study_id>/refer/", referral.case_refer, name="case_refer"),
    path("referrals/<uuid:referral_id>.zip", referral.referral_download, name="referral_download"),
    path("templates/", reading_templates.template_list, name="reading_templates"),
    path("templates/new/", reading_templates.template_new, name="reading_template_new"),
    path("templates/<uuid:template_id>/", reading_templates.template_edit, name="reading_template"),
    path("templates/<uuid:template_id>/retire/", reading_templates.template_retire, name="reading_template_retire"),
]
