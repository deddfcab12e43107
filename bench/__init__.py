"""Measurements on real processes: speed, hostile files, faults."""
