"""Pages of the own account, of people, departments, settings and the audit log."""
