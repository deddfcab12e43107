"""What templates say about patients."""

from django import template

from analyses.record.names import written_name

register = template.Library()
register.filter("person_name", written_name)
