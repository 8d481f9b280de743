"""Ends its study by itself as soon as a value is good enough."""
# Untyped, as other people write it.
# mypy: ignore-errors

import optuna


def objective(trial):
    x = trial.suggest_float("x", -10, 10)
    value = x**2
    if value < 25:
        trial.study.stop()
    return value


if __name__ == "__main__":
    study = optuna.create_study()
    study.optimize(objective, n_trials=1000)
