"""The networks themselves: architecture only, no weights and no preprocessing."""
