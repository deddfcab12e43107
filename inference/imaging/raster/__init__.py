"""JPEG, PNG, TIFF, WebP and BMP to one grey picture."""
