"""Whether a function can be an objective, seen before it is ever called."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from hpo.errors import ObjectiveError


def refuse_other_shapes(function: Callable[..., Any], name: str) -> None:
    """Refuse what cannot be called as ``objective(trial)`` to return a value.

    Args:
        function: What the objective's module has under `name`.
        name: Its name there.

    Raises:
        ObjectiveError: It is a class, async or a generator, or needs other arguments than one.
    """
    if isinstance(function, type):
        raise ObjectiveError(
            f"{name} is a class. Make one of it, `objective = {name}(...)`, and name that."
        )
    called = function if inspect.isroutine(function) else getattr(function, "func", None)
    called = called or type(function).__call__  # an object that can be called
    if inspect.iscoroutinefunction(called) or inspect.isasyncgenfunction(called):
        raise ObjectiveError(
            f"{name} is async, but nothing awaits an objective. Wrap it: "
            f"`def objective(trial): return asyncio.run({name}(trial))`."
        )
    if inspect.isgeneratorfunction(called):
        raise ObjectiveError(f"{name} is a generator: it must `return` its value, not `yield` it.")
    _refuse_other_arguments(function, name)


def _refuse_other_arguments(function: Callable[..., Any], name: str) -> None:
    try:
        signature = inspect.signature(function)
    except ValueError:  # some functions of compiled modules have none
        return
    try:
        signature.bind(None)
    except TypeError:
        taken = ", ".join(map(str, signature.parameters.values())) or "nothing"
        raise ObjectiveError(
            f"{name} takes ({taken}), but an objective is called with a trial alone. Give the "
            f"others defaults, or wrap it: `def objective(trial): return {name}(...)`."
        ) from None


@contextmanager
def no_study_at_import() -> Iterator[None]:
    """Let no study run while an objective's file is imported.

    A script that is not only imported often ends with `study.optimize(...)`; each worker would
    run that whole study of its own before its first trial.
    """
    from optuna.study import Study

    def refuse(*args: object, **kwargs: object) -> NoReturn:  # noqa: ARG001
        raise _would_run("study.optimize")

    optimize = Study.optimize
    Study.optimize = refuse  # type: ignore[method-assign]
    _importing.add(1)
    try:
        yield
    finally:
        Study.optimize = optimize  # type: ignore[method-assign]
        _importing.clear()


def refuse_at_import() -> None:
    """Refuse `hpo.run` in a file that a worker imports.

    Raises:
        ObjectiveError: One is being imported.
    """
    if _importing:
        raise _would_run("hpo.run")


def _would_run(call: str) -> ObjectiveError:
    return ObjectiveError(
        f"`{call}` would run in every worker that imports this file. "
        'Put it under `if __name__ == "__main__":`; hpo runs the study itself.'
    )


_importing: set[int] = set()  # not empty while an objective's file is imported
