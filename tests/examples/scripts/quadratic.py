"""One number to choose, nothing else."""
# Untyped, as other people write it.
# mypy: ignore-errors

import optuna


def objective(trial):
    x = trial.suggest_float("x", -100, 100)
    return (x - 2) ** 2


if __name__ == "__main__":
    study = optuna.create_study()
    study.optimize(objective, n_trials=100)
    print(study.best_params)
