"""Real processes on real databases: kills, signals, outages, and what the ledger holds then."""
