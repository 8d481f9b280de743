"""Binh and Korn's functions: two values to make small, and no point that is best at both."""
# Untyped, as other people write it.
# mypy: ignore-errors

import optuna


def objective(trial):
    x = trial.suggest_float("x", 0, 5)
    y = trial.suggest_float("y", 0, 3)
    return 4 * x**2 + 4 * y**2, (x - 5) ** 2 + (y - 5) ** 2


if __name__ == "__main__":
    study = optuna.create_study(directions=["minimize", "minimize"])
    study.optimize(objective, n_trials=100)
    print(len(study.best_trials))
