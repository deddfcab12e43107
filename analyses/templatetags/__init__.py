"""Template tags of the clinical record."""
