"""Samplers that Optuna's own do not give: in goes a study's history, out come proposals."""
