"""How each language writes dates, times and numbers here; Django reads it by FORMAT_MODULE_PATH."""
