"""The laboratory: reads labelled folders, trains, calibrates, evaluates, writes the card that weights travel with."""
