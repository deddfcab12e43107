"""Figures of reader performance: plain numpy in, plain values out; no model, no request, no patient."""
