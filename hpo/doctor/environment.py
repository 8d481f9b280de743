"""Python, packages, torch and devices as they are here; out come findings with their mends."""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

from hpo.doctor.finding import Finding
from hpo.errors import DeviceError
from hpo.workers import devices

DISTRIBUTION = "hpo-service"
MIN_PYTHON = (3, 11)
TORCH_TIMEOUT_S = 120.0

# Extra -> the module that tells whether it is there, the package to install, and what it is for.
EXTRAS = {
    "postgres": ("psycopg", "PostgreSQL storages"),
    "samplers": ("cmaes", "the method cmaes"),
    "png": ("kaleido", "figures as picture files"),
}
_MEND_TORCH = "pip install --force-reinstall torch numba"
_ASK_TORCH = """
import json, torch
kinds = ["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
kinds += ["mps"] if torch.backends.mps.is_available() else []
broken = {}
for kind in kinds:
    try:
        torch.ones(2, device=kind).sum().item()
    except Exception as error:
        broken[kind] = str(error).splitlines()[0]
import numba
print(json.dumps({"torch": torch.__version__, "cuda": torch.version.cuda, "numba":
    numba.__version__, "devices": kinds, "broken": broken}))
"""


def check_python(found: tuple[int, ...] = sys.version_info[:3]) -> Finding:
    """The interpreter's version."""
    text = f"{platform.python_implementation()} {'.'.join(map(str, found))}, {sys.executable}"
    if found < MIN_PYTHON:
        return Finding("python", "problem", text, "hpo needs Python 3.11 or newer.")
    if os.name == "nt":
        return Finding("python", "problem", text, "Windows is not supported; WSL is.")
    return Finding("python", "ok", text)


def check_packages() -> Iterator[Finding]:
    """Every package that hpo requires, against the versions it requires."""
    try:
        own, required = version(DISTRIBUTION), requires(DISTRIBUTION) or []
    except PackageNotFoundError:
        text = "hpo runs from a folder and is not installed, so its versions cannot be checked"
        yield Finding("packages", "warning", text, "pip install -e . in that folder")
        return
    wrong = list(_wrong_versions(required))
    for name, text, wanted in wrong:
        yield Finding("packages", "problem", text, f"pip install '{name}{wanted}'")
    if not wrong:
        yield Finding("packages", "ok", f"{DISTRIBUTION} {own} with everything it requires")


def _wrong_versions(required: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    from packaging.requirements import Requirement

    for line in required:
        wanted = Requirement(line)
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
            continue
        try:
            found = version(wanted.name)
        except PackageNotFoundError:
            yield wanted.name, f"{wanted.name} is not installed", str(wanted.specifier)
            continue
        if not wanted.specifier.contains(found, prereleases=True):
            text = f"{wanted.name} {found} is installed, but {wanted.specifier} is required"
            yield wanted.name, text, str(wanted.specifier)


def check_machine() -> Finding:
    """Cores and memory that this process may use."""
    try:
        machine = devices.discover()
    except DeviceError as error:
        return Finding("machine", "problem", str(error), "pip install --force-reinstall torch")
    choice = devices.choose("auto", machine)
    text = f"{choice.reason}, {machine.memory_mib:,} MiB"
    if machine.memory_mib < devices.MEMORY_PER_WORKER_MIB:
        mend = f"A worker with torch needs about {devices.MEMORY_PER_WORKER_MIB} MiB."
        return Finding("machine", "warning", text, mend)
    return Finding("machine", "ok", text)


def check_torch() -> list[Finding]:
    """Torch, numba and every device, tried in a throw-away process."""
    try:
        done = subprocess.run(  # noqa: S603 (our own interpreter and text)
            [sys.executable, "-c", _ASK_TORCH],
            capture_output=True,
            text=True,
            timeout=TORCH_TIMEOUT_S,
            check=False,
        )
    except (subprocess.SubprocessError, OSError) as error:
        return [Finding("torch", "problem", f"it gave no answer: {error}", _MEND_TORCH)]
    if done.returncode:
        said = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        return [Finding("torch", "problem", said, _MEND_TORCH)]
    found = json.loads(done.stdout.splitlines()[-1])
    return torch_findings(found, has_nvidia=Path("/dev/nvidiactl").exists())


def torch_findings(found: Mapping[str, Any], *, has_nvidia: bool) -> list[Finding]:
    """Judge what torch said of itself.

    Args:
        found: Versions, `devices`, and `broken`: device -> what it said when it was tried.
        has_nvidia: Whether this machine has an NVIDIA driver.
    """
    text = f"torch {found['torch']}, numba {found['numba']}, {', '.join(found['devices'])}"
    if has_nvidia and not any(device.startswith("cuda") for device in found["devices"]):
        built = f"built for CUDA {found['cuda']}" if found["cuda"] else "built without CUDA"
        mend = "Install the torch that fits the driver: https://pytorch.org/get-started/locally"
        findings = [Finding("torch", "warning", f"{text}; {built}, sees no GPU", mend)]
    else:
        findings = [Finding("torch", "ok", text)]
    for device, said in found["broken"].items():
        mend = f"Leave it out with --devices, e.g. --devices cpu, or mend {device}."
        findings.append(Finding("torch", "problem", f"{device} does not work: {said}", mend))
    return findings


def check_extras() -> Iterator[Finding]:
    """Optional packages; one that is not there is no fault."""
    for extra, (module, purpose) in EXTRAS.items():
        if importlib.util.find_spec(module) is not None:
            yield Finding("extra", "ok", f"{extra}: {module} is installed")
        else:
            text = f"{extra}: {module} is not installed; only {purpose} need it"
            yield Finding("extra", "ok", text, f"pip install '{DISTRIBUTION}[{extra}]'")
