"""optuna-dashboard made safe: read-only, behind a login, for its own host name only."""

from hpo.dashboard.connections import Limits
from hpo.dashboard.guard import make_app
from hpo.dashboard.server import run_dashboard, serve
from hpo.dashboard.users import add_user, load_users

__all__ = ["Limits", "add_user", "load_users", "make_app", "run_dashboard", "serve"]
