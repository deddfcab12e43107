"""Coded pictures read as streams of markers or blocks: what they say of themselves,
and whether all of them is there."""
