"""Opening a study of 10,000 trials: `hpo dashboard` beside `optuna-dashboard URL`, in one run.

Usage: python benchmarks/dashboard.py [N_TRIALS]
"""

from __future__ import annotations

import functools
import random
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    distribution_to_json,
)
from optuna.storages._rdb import models
from optuna.trial import TrialState
from playwright.sync_api import Browser, Playwright, sync_playwright
from playwright.sync_api import Error as PlaywrightError
from sqlalchemy import insert

from hpo.databases.storage import Storage, open_storage

BROWSER = "/usr/bin/chromium"
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
]
SPACE: dict[str, BaseDistribution] = {
    "learning_rate": FloatDistribution(1e-4, 1.0, log=True),
    "batch_size": CategoricalDistribution([16, 64, 256]),
    "activation": CategoricalDistribution(["relu", "tanh", "sigmoid"]),
    "dropout": FloatDistribution(0.0, 0.5),
    "optimizer": CategoricalDistribution(["sgd", "adam"]),
    "momentum": FloatDistribution(0.0, 0.99),
}
CACHED_FOR_S = 11.0  # the page's server reads the database again after ten seconds
N_EPOCHS = 5


def fill(storage: Storage, n_trials: int) -> int:
    """A study of complete trials, written at once; its id."""
    study = optuna.create_study(storage=storage.optuna, study_name="big", direction="maximize")
    rng = random.Random(1)
    with storage.write() as connection:
        rows = [
            {"study_id": study._study_id, "number": n, "state": TrialState.COMPLETE}
            for n in range(n_trials)
        ]
        connection.execute(insert(models.TrialModel), rows)
        ids = range(1, n_trials + 1)
        connection.execute(
            insert(models.TrialParamModel),
            [
                {
                    "trial_id": i,
                    "param_name": name,
                    "param_value": _draw(rng, distribution),
                    "distribution_json": distribution_to_json(distribution),
                }
                for i in ids
                for name, distribution in SPACE.items()
            ],
        )
        value_type = models.TrialValueModel.TrialValueType.FINITE
        connection.execute(
            insert(models.TrialValueModel),
            [
                {"trial_id": i, "objective": 0, "value": rng.random(), "value_type": value_type}
                for i in ids
            ],
        )
        kind = models.TrialIntermediateValueModel.TrialIntermediateValueType.FINITE
        connection.execute(
            insert(models.TrialIntermediateValueModel),
            [
                {
                    "trial_id": i,
                    "step": step,
                    "intermediate_value": rng.random(),
                    "intermediate_value_type": kind,
                }
                for i in ids
                for step in range(1, N_EPOCHS + 1)
            ],
        )
    return int(study._study_id)


def _draw(rng: random.Random, distribution: BaseDistribution) -> float:
    if isinstance(distribution, CategoricalDistribution):
        return float(rng.randrange(len(distribution.choices)))
    assert isinstance(distribution, FloatDistribution)
    return rng.uniform(distribution.low, distribution.high)


@contextmanager
def served(command: list[str], port: int) -> Iterator[None]:
    """A server that answers on a port as long as the context."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(300):
            try:
                fetch(port, "/api/meta")
                break
            except OSError:
                time.sleep(0.1)
        else:
            raise SystemExit(f"{command[0]} did not start")
        yield
    finally:
        process.terminate()
        process.wait()


def fetch(port: int, path: str) -> float:
    """Seconds until an answer is read whole."""
    started = time.perf_counter()
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", headers={"Accept-Encoding": "gzip"}
    )
    with urllib.request.urlopen(request) as answer:
        answer.read()
    return time.perf_counter() - started


def measure(
    browser: Browser | None, port: int, study_id: int, n_trials: int, name: str
) -> dict[str, float]:
    """Seconds of each way to read the study; prints each as soon as it is known."""
    path = f"/api/studies/{study_id}"
    steps: list[tuple[str, Callable[[], float]]] = [
        ("first read", lambda: fetch(port, path)),
        ("read again", lambda: fetch(port, path)),
        ("read what is new", lambda: fetch(port, f"{path}?after={n_trials}")),
    ]
    if browser is not None:
        opening = functools.partial(open_page, browser, port, study_id, n_trials)
        steps.append(("page in the browser", opening))
    found = {}
    for title, step in steps:
        found[title] = step()
        print(f"{name:5} {title:22s} {found[title]:9.2f} s", flush=True)
        time.sleep(CACHED_FOR_S)
    return found


def open_page(browser: Browser, port: int, study_id: int, n_trials: int) -> float:
    """Seconds until the page lists all trials."""
    page = browser.new_page()
    page.set_default_timeout(180_000)
    started = time.perf_counter()
    page.goto(f"http://127.0.0.1:{port}/dashboard/studies/{study_id}/trials")
    page.get_by_text(f"{n_trials} Trials").wait_for()
    seconds = time.perf_counter() - started
    page.close()
    return seconds


def launched(playwright: Playwright) -> Browser | None:
    """The browser, or None where there is none."""
    try:
        return playwright.chromium.launch(executable_path=BROWSER, args=FLAGS)
    except PlaywrightError as error:
        print(f"page in the browser: skipped: {error.message.splitlines()[0]}", flush=True)
        return None


def main() -> None:
    n_trials = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'big.db'}"
        storage = open_storage(url, create=True)
        study_id = fill(storage, n_trials)
        storage.checkpoint()
        storage.close()
        programs = str(Path(sys.executable).parent)
        commands = {
            "stock": [f"{programs}/optuna-dashboard", url, "--port", "8931", "-q"],
            "hpo": [sys.executable, "-m", "hpo", "dashboard", "--storage", url, "--port", "8932"],
        }
        found = {}
        with sync_playwright() as playwright:
            browser = launched(playwright)
            for port, (name, command) in enumerate(commands.items(), 8931):
                with served(command, port):
                    found[name] = measure(browser, port, study_id, n_trials, name)
            if browser is not None:
                browser.close()
    print(f"\n{n_trials} trials           stock s    hpo s   stock / hpo")
    for step, stock_s in found["stock"].items():
        hpo_s = found["hpo"][step]
        print(f"{step:22s} {stock_s:9.2f} {hpo_s:8.2f} {stock_s / hpo_s:10.1f}")


if __name__ == "__main__":
    main()
