"""Addresses of the viewer and of what it fetches; part of ``analyses.urls``."""

from django.urls import path

from analyses.viewer import annotation_views as annotations
from analyses.viewer import films
from analyses.viewer import views as viewer

urlpatterns = [
    path("cases/<uuid:study_id>/viewer/", viewer.viewer, name="viewer"),
    path("films/<uuid:analysis_id>/values.bin", films.film_values, name="film_values"),
    path("films/<uuid:analysis_id>/annotations/", annotations.film_annotations, name="film_annotations"),
    path("films/<uuid:analysis_id>/annotations/add/", annotations.annotation_add, name="annotation_add"),
    path("annotations/<uuid:annotation_id>/withdraw/", annotations.annotation_withdraw, name="annotation_withdraw"),
]
