"""Databases: Optuna's storage, made safe and lean, and our tables beside it."""
