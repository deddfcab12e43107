"""Networks that only the laboratory compares; what the portal runs is in inference.models."""
