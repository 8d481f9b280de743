"""The MLP trainer: settings and images go in, metrics of each epoch come out; no Optuna here."""
