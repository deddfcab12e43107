"""*Performance at this site*: the rows behind it, and the figures of model and readers."""
