"""Addresses of the clinical record's pages."""

from django.urls import path

from analyses.urls import outcomes, reader_studies, reading_first, reports, structured, viewer, worklist
from analyses.views import case, cases, films, model, registry, status, upload

app_name = "analyses"
urlpatterns = [
    path("", cases.home, name="home"),
    path("cases/<uuid:study_id>/", case.case, name="case"),
    path("cases/<uuid:study_id>/add/", upload.case_add, name="case_add"),
    path("cases/<uuid:study_id>/assign/", case.case_assign, name="case_assign"),
    path("cases/<uuid:study_id>/edit/", case.case_edit, name="case_edit"),
    path("cases/<uuid:study_id>/reassign/", case.case_reassign, name="case_reassign"),
    path("cases/<uuid:study_id>/films/<uuid:analysis_id>/panel/", case.case_panel, name="case_panel"),
    path("cases/<uuid:study_id>/films/<uuid:analysis_id>/cancel/", case.film_cancel, name="film_cancel"),
    path("cases/<uuid:study_id>/films/<uuid:analysis_id>/retry/", case.film_retry, name="film_retry"),
    path("cases/<uuid:study_id>/films/<uuid:analysis_id>/confirm/", case.film_confirm, name="film_confirm"),
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
    *structured.urlpatterns,
    *reading_first.urlpatterns,
]
