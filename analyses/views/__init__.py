"""The pages of the clinical record: they read in scope, call services and show; they write nothing themselves."""
