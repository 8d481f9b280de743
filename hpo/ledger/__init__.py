"""The ledger: a study's plan in its database, where points are claimed and closed."""
