"""Names of people as pages and documents write them. What is stored, compared and sent to programs stays as it came."""


def written_name(stored: str) -> str:
    """A DICOM person name (PS3.5, 6.2.1.1) in reading order: ``Müller^Anna^Katharina`` is MÜLLER, Anna Katharina.

    The first of its groups that holds anything is written. A name without ^ was typed for people and is left alone.
    """
    if "^" not in stored:
        return stored
    group = next((part for part in stored.split("=") if part.strip("^ ")), "")
    family, given, middle, prefix, suffix = ([part.strip() for part in group.split("^")] + [""] * 5)[:5]
    # A capital ß is written as such: SS would be another name.
    family = family.replace("ß", "ẞ").upper()
    first_names = " ".join(part for part in (prefix, given, middle) if part)
    return ", ".join(part for part in (family, first_names, suffix) if part)
