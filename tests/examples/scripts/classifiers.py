"""Which classifier of scikit-learn, and which values for the parameters that only it has."""
# Untyped, as other people write it.
# mypy: ignore-errors

import optuna
import sklearn.datasets
import sklearn.ensemble
import sklearn.model_selection
import sklearn.svm


def objective(trial):
    iris = sklearn.datasets.load_iris()
    name = trial.suggest_categorical("classifier", ["svc", "forest"])
    if name == "svc":
        model = sklearn.svm.SVC(C=trial.suggest_float("svc_c", 1e-3, 1e3, log=True), gamma="auto")
    else:
        depth = int(trial.suggest_float("forest_max_depth", 2, 32, log=True))
        model = sklearn.ensemble.RandomForestClassifier(max_depth=depth, n_estimators=5)
    scores = sklearn.model_selection.cross_val_score(model, iris.data, iris.target, cv=3)
    return scores.mean()


if __name__ == "__main__":
    study = optuna.create_study(direction="maximize")
    study.optimize(objective, n_trials=50)
    print(study.best_trial)
