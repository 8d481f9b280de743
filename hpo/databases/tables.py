"""Our tables beside Optuna's in a study's database, and the database's own clock in SQL."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, Float, Index, Integer, MetaData, String, Table, Text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

SCHEMA_VERSION = 2
METADATA = MetaData()

# What stock tools see of a study of ours: its user attributes.
PLAN_ID, METHOD, VERSION = "hpo_plan_id", "hpo_method", "hpo_version"

# One row: the version of the tables below.
SCHEMA = Table("hpo_schema", METADATA, Column("version", Integer, primary_key=True))

# One row a study of ours: what it was made from. Stock tools print every study attribute, so
# these long texts are none.
STUDIES = Table(
    "hpo_studies",
    METADATA,
    Column("plan_id", String(32), primary_key=True),
    Column("study_id", Integer, index=True),  # Optuna's; of another study once this one is renamed
    Column("file", Text, nullable=False),  # JSON
    Column("objective", Text, nullable=False),
    Column("environment", Text, nullable=False),  # JSON
)

# One row a plan.
PLANS = Table(
    "hpo_plans",
    METADATA,
    Column("plan_id", String(32), primary_key=True),
    Column("stop_at", Float),  # seconds since the epoch by the database's clock; NULL = never
    Column("stop_reason", Text),
)

# One row a planned evaluation.
POINTS = Table(
    "hpo_points",
    METADATA,
    Column("plan_id", String(32), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("params", Text),  # JSON; NULL = the sampler decides
    Column("factor", Text),
    Column("level", Text),
    Column("replicate", Integer),
    Column("seed", Integer, nullable=False),
    Column("state", String(8), nullable=False),  # FREE | LEASED | DONE | FAILED
    Column("attempt", Integer, nullable=False),  # how often it was claimed
    Column("lost", Integer, nullable=False),  # how many of these claims ended with a lost worker
    Column("worker", String(255)),
    Column("host", String(255)),
    Column("machine", String(64)),  # the running kernel: the same for containers on one host
    Column("lease_until", Float),  # seconds since the epoch by the database's clock
    Column("trial_number", Integer),
    Column("reason", Text),
    Index("ix_hpo_points_state", "plan_id", "state", "number"),
)

# The books: one row a claim of a point, written with its trial. Everything is decided by them and
# by `hpo_points`; what a trial's attributes say of its point is a copy that an objective can spoil.
TRIALS = Table(
    "hpo_trials",
    METADATA,
    Column("plan_id", String(32), primary_key=True),
    Column("point", Integer, primary_key=True, autoincrement=False),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    Column("number", Integer, nullable=False),  # of the trial, in its study
    Column("fate", String(8)),  # NULL while at work | DONE | FAILED | RELEASED | LOST
)

# One row a worker that is alive: between two trials it holds no lease.
WORKERS = Table(
    "hpo_workers",
    METADATA,
    Column("plan_id", String(32), primary_key=True),
    Column("worker", String(255), primary_key=True),
    Column("host", String(255), nullable=False),
    Column("machine", String(64), nullable=False),
    Column("until", Float, nullable=False),  # seconds since the epoch by the database's clock
)

# One row a finished trial: its learning curves, kept out of Optuna's attributes because
# every worker and every request of the dashboard loads all of those.
CURVES = Table(
    "hpo_curves",
    METADATA,
    Column("plan_id", String(32), primary_key=True),
    Column("trial_number", Integer, primary_key=True, autoincrement=False),
    Column("curves", Text, nullable=False),
)


OF_A_PLAN = (STUDIES, PLANS, POINTS, TRIALS, WORKERS, CURVES)  # by plan_id, all of them


class DatabaseClock(FunctionElement[float]):
    """Seconds since the epoch by the clock of the database, the same for every worker."""

    type = Float()
    inherit_cache = True


@compiles(DatabaseClock, "sqlite")
def _sqlite_clock(element: DatabaseClock, compiler: Any, **options: Any) -> str:  # noqa: ARG001
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(DatabaseClock, "postgresql")
def _postgresql_clock(element: DatabaseClock, compiler: Any, **options: Any) -> str:  # noqa: ARG001
    return "CAST(extract(epoch FROM clock_timestamp()) AS double precision)"
