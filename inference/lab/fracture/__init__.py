"""The second task: a network that outlines fractures, from films to card."""
