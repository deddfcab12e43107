"""Pixels in, a Prediction out: decoding, networks, calibration and the laboratory. No Django, no patient identity."""
