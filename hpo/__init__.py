"""Hyperparameter searches and controlled experiments on Optuna."""
