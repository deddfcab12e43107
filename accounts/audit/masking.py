"""How patient identity is shown to people who must not read it."""

HIDDEN = "•••"


def masked(text: str) -> str:
    """The first and last two characters of a record number, so that an auditor can tell two subjects apart.

    Anything that has fewer than seven characters, or is no single number (a name, search words), is hidden altogether:
    two letters of a short name are too much.
    """
    text = text.strip()
    if not text:
        return ""
    if len(text) < 7 or not text.isascii() or not any(char.isdigit() for char in text) or " " in text:
        return HIDDEN
    return f"{text[:2]}{HIDDEN}{text[-2:]}"
