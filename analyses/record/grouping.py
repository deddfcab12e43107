"""Which films belong to one case, by what their headers say of patient and examination. Plain values in and out.

A header here is the identity that ``inference.imaging.dicom.identity`` reads: DICOM keywords in snake_case to texts,
empty where the file says nothing. Nothing is stored or looked up: pages, API and every other way in ask the same rules.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from analyses.record.identity import agree

Header = Mapping[str, str]
PERSON_FIELDS = ("patient_id", "patient_name", "patient_birth_date")
# An examination is its Study Instance UID (PS3.3, C.7.2.1); these stand for it where one of two files has none.
_INSTEAD_OF_UID = ("accession_number", "study_date")
_SHOWN_FIELDS = (
    *PERSON_FIELDS,
    "patient_sex",
    "accession_number",
    "study_instance_uid",
    "study_date",
    "modality",
    "body_part_examined",
    "laterality",
)


@dataclass(frozen=True)
class ProposedCase:
    """Films that can be filed as one case.

    Attributes:
        films: their places in the list that was given, in its order.
        header: what their headers say together, each field by the first of them that states it.
    """

    films: tuple[int, ...]
    header: dict[str, str]

    @property
    def names_somebody(self) -> bool:
        """Whether the files say whose they are, or which examination: what is typed for others is not said of them."""
        return speaks(self.header)


def speaks(header: Header) -> bool:
    """Whether a header says anything of patient or examination."""
    return any(header.get(name) for name in (*PERSON_FIELDS, "study_instance_uid", "accession_number"))


def same_person(one: Header, other: Header) -> bool:
    """Whether two headers can be about one patient: nothing that both state of number, name and birth date differs."""
    return all(_agree(name, one, other) for name in PERSON_FIELDS)


def same_examination(one: Header, other: Header) -> bool:
    """Whether two headers can be about one examination."""
    uids = one.get("study_instance_uid", ""), other.get("study_instance_uid", "")
    if all(uids):
        return uids[0] == uids[1]
    return all(_agree(name, one, other) for name in _INSTEAD_OF_UID)


def belong_together(one: Header, other: Header) -> bool:
    """Whether two films may be one case: neither the patients nor the examinations that they name differ."""
    return same_person(one, other) and same_examination(one, other)


def may_join(header: Header, others: Iterable[Header]) -> bool:
    """Whether a film belongs to films of a case, each of them: agreement is not passed on from film to film."""
    return all(belong_together(header, other) for other in others)


def propose(headers: Sequence[Header]) -> list[ProposedCase]:
    """The fewest cases that these films make when none holds films of two patients or examinations.

    A film goes where something that it states is stated already; agreement by silence joins nothing. Films that state
    nothing (photographs, pictures) join where there is only one case, and are a case of their own beside several.
    """
    groups: list[list[int]] = []
    # Those that state most come first, so that the others find them; the sort keeps the order among equals.
    for place in sorted(range(len(headers)), key=lambda place: -_stated(headers[place])):
        if speaks(headers[place]):
            group = _place_among(groups, headers, headers[place])
            if group is None:
                groups.append([place])
            else:
                group.append(place)
    silent = [place for place, header in enumerate(headers) if not speaks(header)]
    if silent and len(groups) == 1:
        groups[0].extend(silent)
    elif silent:
        groups.append(silent)
    cases = [ProposedCase(tuple(sorted(group)), _together(headers, sorted(group))) for group in groups]
    return sorted(cases, key=lambda case: case.films)


def _agree(name: str, one: Header, other: Header) -> bool:
    first, second = one.get(name, "") or "", other.get(name, "") or ""
    if name == "study_date":
        return not first or not second or first == second
    return agree(name, first, second)


def _stated(header: Header) -> int:
    return sum(bool(header.get(name)) for name in _SHOWN_FIELDS)


def _place_among(groups: list[list[int]], headers: Sequence[Header], header: Header) -> list[int] | None:
    """The one group that the film is tied to; the one of its examination where several would do."""
    fitting = [group for group in groups if may_join(header, (headers[place] for place in group))]
    uid = header.get("study_instance_uid", "")
    for group in fitting:
        if uid and any(headers[place].get("study_instance_uid") == uid for place in group):
            return group
    tied = [group for group in fitting if any(_is_tied(header, headers[place]) for place in group)]
    return tied[0] if len(tied) == 1 else None


def _is_tied(one: Header, other: Header) -> bool:
    """Whether two films that agree also state something in common: a number, or a name."""
    names = ("patient_id", "patient_name", "accession_number")
    return any(one.get(name) and other.get(name) for name in names)


def _together(headers: Sequence[Header], places: Sequence[int]) -> dict[str, str]:
    said: dict[str, str] = {}
    for place in places:
        for name in _SHOWN_FIELDS:
            if headers[place].get(name):
                said.setdefault(name, headers[place][name])
    return said
