"""Whether films differ from a reference: figure by figure in bins, and all figures of a film together."""
