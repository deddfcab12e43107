"""Patient identity as auditors see it."""

import pytest

from accounts.audit.masking import HIDDEN, masked


@pytest.mark.parametrize(("text", "shown"), [("40123422", "40•••22"), (" RX-004711 ", "RX•••11"), ("", ""), ("  ", "")])
def test_a_record_number_keeps_its_first_and_last_two_characters(text, shown):
    assert masked(text) == shown


@pytest.mark.parametrize("text", ["Smith", "DOE^JANE", "Longlastname", "123456", "40123422 Smith", "Müller123"])
def test_names_short_numbers_and_search_words_are_hidden_altogether(text):
    assert masked(text) == HIDDEN
