"""Addresses of the clinical record's pages."""

from django.urls import path

from analyses.case_page import views as case_page
from analyses.intake import views as intake
from analyses.model_pages import registry
from analyses.model_pages import views as model_pages
from analyses.pipeline import views as pipeline
from analyses.urls import evidence, reader_studies, reading, reports, trial, viewer, worklist
from analyses.viewer import films
from analyses.worklist import views as worklist_pages

app_name = "analyses"
urlpatterns = [
    path("", worklist_pages.home, name="home"),
    path("cases/<uuid:study_id>/", case_page.case, name="case"),
    path("cases/<uuid:study_id>/add/", intake.case_add, name="case_add"),
    path("cases/<uuid:study_id>/assign/", case_page.case_assign, name="case_assign"),
    path("cases/<uuid:study_id>/edit/", case_page.case_edit, name="case_edit"),
    path("cases/<uuid:study_id>/reassign/", case_page.case_reassign, name="case_reassign"),
    path("cases/<uuid:study_id>/films/<uuid:analysis_id>/panel/", case_page.case_panel, name="case_panel"),
    path("cases/<uuid:study_id>/films/<uuid:analysis_id>/cancel/", case_page.film_cancel, name="film_cancel"),
    path("cases/<uuid:study_id>/films/<uuid:analysis_id>/retry/", case_page.film_retry, name="film_retry"),
    path("cases/<uuid:study_id>/films/<uuid:analysis_id>/tags/", case_page.film_tags, name="film_tags"),
    path("cases/<uuid:study_id>/films/<uuid:analysis_id>/confirm/", case_page.film_confirm, name="film_confirm"),
    path("cases/<uuid:study_id>/films/<uuid:analysis_id>/move/", case_page.film_move, name="film_move"),
    path("films/<uuid:analysis_id>/image.png", films.film_image, name="film_image"),
    path("films/<uuid:analysis_id>/saliency.png", films.film_saliency, name="film_saliency"),
    path("films/<uuid:analysis_id>/thumbnail.png", films.film_thumbnail, name="film_thumbnail"),
    path("upload/", intake.upload, name="upload"),
    path("upload/groups/", intake.upload_groups, name="upload_groups"),
    path("status/", pipeline.status, name="status"),
    path("model/", model_pages.model, name="model"),
    path("model/<str:model_key>/", model_pages.model, name="model_version"),
    path("admin/models/", registry.models, name="registry"),
    path("admin/models/activate/", registry.model_activate, name="model_activate"),
    path("admin/models/roll-back/", registry.model_roll_back, name="model_roll_back"),
    path("admin/models/compare/", registry.model_compare, name="model_compare"),
    path("admin/models/comparisons/<uuid:comparison_id>/", registry.model_comparison, name="model_comparison"),
    *reports.urlpatterns,
    *viewer.urlpatterns,
    *worklist.urlpatterns,
    *evidence.urlpatterns,
    *reader_studies.urlpatterns,
    *reading.urlpatterns,
    *trial.urlpatterns,
]
