"""Forms of the pages: they check what was typed and hand clean values to the services."""
