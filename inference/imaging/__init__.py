"""From uploaded bytes to the canonical grey image and the networks' input. Nothing here imports torch."""
