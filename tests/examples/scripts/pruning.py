"""A linear classifier that is trained in steps, and given up when it lags behind."""
# Untyped, as other people write it.
# mypy: ignore-errors

import optuna
from sklearn.datasets import load_iris
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import train_test_split


def objective(trial):
    images, labels = load_iris(return_X_y=True)
    x_train, x_valid, y_train, y_valid = train_test_split(images, labels, random_state=0)
    model = SGDClassifier(alpha=trial.suggest_float("alpha", 1e-5, 1e-1, log=True), random_state=0)
    for step in range(20):
        model.partial_fit(x_train, y_train, classes=[0, 1, 2])
        trial.report(1.0 - model.score(x_valid, y_valid), step)
        if trial.should_prune():
            raise optuna.TrialPruned()
    return 1.0 - model.score(x_valid, y_valid)


if __name__ == "__main__":
    study = optuna.create_study(pruner=optuna.pruners.MedianPruner())
    study.optimize(objective, n_trials=20)
