"""Addresses of the clinical record's pages."""

from django.urls import path

from analyses.case_page import views
from analyses.intake import views as upload
from analyses.model_pages import registry
from analyses.model_pages import views as model
from analyses.pipeline import views as status
from analyses.urls import evidence as outcomes
from analyses.urls import reader_studies, reports, trial, viewer, worklist
from analyses.urls import reading as structured_reading
from analyses.viewer import films
from analyses.worklist import views as cases

app_name = "analyses"
urlpatterns = [
    path("", cases.home, name="home"),
    path("cases/<uuid:study_id>/", views.case, name="case"),
    path("cases/<uuid:study_id>/add/", upload.case_add, name="case_add"),
    path("cases/<uuid:study_id>/assign/", views.case_assign, name="case_assign"),
    path("cases/<uuid:study_id>/edit/", views.case_edit, name="case_edit"),
    path("cases/<uuid:study_id>/reassign/", views.case_reassign, name="case_reassign"),
    path("cases/<uuid:study_id>/films/<uuid:analysis_id>/panel/", views.case_panel, name="case_panel"),
    path("cases/<uuid:study_id>/films/<uuid:analysis_id>/cancel/", views.film_cancel, name="film_cancel"),
    path("cases/<uuid:study_id>/films/<uuid:analysis_id>/retry/", views.film_retry, name="film_retry"),
    path("cases/<uuid:study_id>/films/<uuid:analysis_id>/confirm/", views.film_confirm, name="film_confirm"),
    path("films/<uuid:analysis_id>/image.png", films.film_image, name="film_image"),
    path("films/<uuid:analysis_id>/saliency.png", films.film_saliency, name="film_saliency"),
    path("films/<uuid:analysis_id>/thumbnail.png", films.film_thumbnail, name="film_thumbnail"),
    path("upload/", upload.upload, name="upload"),
    path("status/", status.status, name="status"),
    path("model/", model.model, name="model"),
    path("model/<str:model_key>/", model.model, name="model_version"),
    path("admin/models/", registry.models, name="registry"),
    path("admin/models/activate/", registry.model_activate, name="model_activate"),
    path("admin/models/roll-back/", registry.model_roll_back, name="model_roll_back"),
    path("admin/models/compare/", registry.model_compare, name="model_compare"),
    path("admin/models/comparisons/<uuid:comparison_id>/", registry.model_comparison, name="model_comparison"),
    *reports.urlpatterns,
    *viewer.urlpatterns,
    *worklist.urlpatterns,
    *outcomes.urlpatterns,
    *reader_studies.urlpatterns,
    *structured_reading.urlpatterns,
    *trial.urlpatterns,
]
