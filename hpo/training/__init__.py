"""The trainer: settings, data, the MLP and the engines. It knows nothing of Optuna."""
