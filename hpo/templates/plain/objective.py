"""Find the lowest place of Himmelblau's function: replace it with what you want to optimize.

This is an ordinary Optuna objective: it needs nothing of hpo.
"""

import optuna


def objective(trial: optuna.Trial) -> float:
    """Himmelblau's function; zero at its four lowest places."""
    x = trial.suggest_float("x", -6.0, 6.0)
    y = trial.suggest_float("y", -6.0, 6.0)
    return (x**2 + y - 11) ** 2 + (x + y**2 - 7) ** 2
