"""A reading in the field's terms: its vocabulary, its schema, the text written from it, and what contradicts itself.

Nothing here writes to the database or knows of the model's answer.
"""
