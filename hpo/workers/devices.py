"""What devices exist, and from `--devices` text to device slots.

Choosing is pure: it is given what was found. Finding asks torch in a throw-away process, because a
process that has asked CUDA anything cannot fork workers that use it.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hpo.errors import DeviceError
from hpo.study_files.device_text import AskedDevices, read_devices

MEMORY_PER_WORKER_MIB = 512  # a process with torch, Optuna and MNIST
_DISCOVERY_TIMEOUT_S = 120.0
# Linux without one of these has no device that torch could use beside the CPU.
_ACCELERATOR_NODES = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")
_ASK_TORCH = """
import json, torch
n = torch.cuda.device_count()
print(json.dumps({"cuda": [torch.cuda.get_device_name(i) for i in range(n)],
                  "mps": torch.backends.mps.is_available()}))
"""
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True)
class Machine:
    """What this machine can compute on.

    Attributes:
        cuda: Names of the CUDA devices, by index.
        mps: Whether Apple's Metal is there.
        cores: CPU cores this process may use, by affinity and cgroup quota.
        memory_mib: Memory this process may use.
        visible: What `CUDA_VISIBLE_DEVICES` says of each CUDA device, where it is set.
    """

    cores: int
    memory_mib: int
    cuda: tuple[str, ...] = ()
    mps: bool = False
    visible: tuple[str, ...] = ()


@dataclass(frozen=True)
class Slot:
    """A place where one worker runs.

    Attributes:
        device: As the user names it: `cpu`, `cuda:2`, `mps`.
        index: Which of the workers on that device, from 0.
        seen_as: The device's name inside the worker, `cuda:0` for every CUDA device.
        environment: What is set in the worker before CUDA is initialised.
    """

    device: str
    index: int
    seen_as: str
    environment: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def name(self) -> str:
        """`cuda:0#1`, for logs and worker names."""
        return f"{self.device}#{self.index}"


@dataclass(frozen=True)
class Choice:
    """The slots chosen, and the reason in words."""

    slots: tuple[Slot, ...]
    reason: str


def discover() -> Machine:
    """Look at this machine; torch is asked in a throw-away process, if it could find anything."""
    found = _ask_torch() if _may_have_accelerator() else {}
    return Machine(
        cores=_cores(),
        memory_mib=_memory_mib(),
        cuda=tuple(found.get("cuda", ())),
        mps=bool(found.get("mps", False)),
        visible=tuple(filter(None, os.environ.get("CUDA_VISIBLE_DEVICES", "").split(","))),
    )


def choose(text: str, machine: Machine, workers: int | None = None, threads: int = 1) -> Choice:
    """Device slots for `--devices` and `--workers`.

    Args:
        text: `auto`, or items such as `cpu`, `cpu*4`, `cuda`, `cuda*4`, `cuda:0`, `mps`, by commas.
        machine: What there is.
        workers: How many workers; None leaves it to the devices.
        threads: CPU threads of each worker.

    Raises:
        DeviceError: The text cannot be read, or names a device that is not there.
    """
    try:
        asked = read_devices(text)
    except ValueError as error:
        raise DeviceError(f"A device {error}") from None
    if not asked:
        devices, reason = _automatic(machine, workers, threads)
    else:
        devices = [device for item in asked for device in _found(item, machine)]
        reason = f"as asked: {text}"
        if workers is not None:
            devices = [devices[i % len(devices)] for i in range(workers)]
    n, each = len(devices), f"{threads} thread{'s' if threads > 1 else ''} each"
    return Choice(_slots(devices, machine), f"{n} worker{'s' if n != 1 else ''}: {reason}, {each}")


def thread_environment(threads: int) -> dict[str, str]:
    """Variables that limit the numeric libraries of a process to `threads` threads."""
    return dict.fromkeys(_THREAD_VARIABLES, str(threads))


def _automatic(machine: Machine, workers: int | None, threads: int) -> tuple[list[str], str]:
    if machine.cuda:
        devices = [f"cuda:{i}" for i in range(len(machine.cuda))]
        reason = f"{len(devices)} CUDA device{'s' if len(devices) > 1 else ''}"
    elif machine.mps:
        devices, reason = ["mps"], "no CUDA device, MPS"
    else:
        return _cpus(machine, workers, threads)
    n = len(devices) if workers is None else workers
    return [devices[i % len(devices)] for i in range(n)], reason


def _cpus(machine: Machine, workers: int | None, threads: int) -> tuple[list[str], str]:
    by_cores = max(1, machine.cores // threads)
    by_memory = max(1, machine.memory_mib // MEMORY_PER_WORKER_MIB)
    cores = f"{machine.cores} CPU core{'s' if machine.cores > 1 else ''}"
    reason = f"no CUDA device, {cores}"
    if workers is None and by_memory < by_cores:
        reason += f", but memory for {by_memory} only ({machine.memory_mib} MiB)"
    n = min(by_cores, by_memory) if workers is None else workers
    return ["cpu"] * n, reason


def _found(asked: AskedDevices, machine: Machine) -> list[str]:
    """The devices that an item of a text stands for, each as often as it has workers."""
    have = {
        "cuda": [f"cuda:{i}" for i in range(len(machine.cuda))],
        "mps": ["mps"] if machine.mps else [],
        "cpu": ["cpu"],
    }
    devices = [d for d in have[asked.kind] if asked.index is None or d == asked.name]
    if not devices:
        there = ", ".join(device for devices in have.values() for device in devices)
        raise DeviceError(f"There is no device {asked.name!r} here. There is: {there}.")
    return [device for device in devices for _ in range(asked.n_workers)]


def _slots(devices: Sequence[str], machine: Machine) -> tuple[Slot, ...]:
    taken: dict[str, int] = {}
    slots = []
    for device in devices:
        index = taken.get(device, 0)
        taken[device] = index + 1
        slots.append(_slot(device, index, machine))
    return tuple(slots)


def _slot(device: str, index: int, machine: Machine) -> Slot:
    if not device.startswith("cuda"):
        return Slot(device, index, seen_as=device)
    number = int(device.removeprefix("cuda:"))
    visible = machine.visible[number] if number < len(machine.visible) else str(number)
    return Slot(device, index, "cuda:0", {"CUDA_VISIBLE_DEVICES": visible})


def _may_have_accelerator() -> bool:
    if platform.system() == "Linux":
        return any(Path(node).exists() for node in _ACCELERATOR_NODES)
    return True


def _ask_torch() -> dict[str, list[str]]:
    try:
        done = subprocess.run(  # noqa: S603 (our own interpreter and text)
            [sys.executable, "-c", _ASK_TORCH],
            capture_output=True,
            text=True,
            timeout=_DISCOVERY_TIMEOUT_S,
            check=True,
        )
        found: dict[str, list[str]] = json.loads(done.stdout.splitlines()[-1])
    except (subprocess.SubprocessError, ValueError, IndexError) as error:
        raise DeviceError(f"torch could not tell what devices there are: {error}") from error
    return found


def _cores() -> int:
    affinity = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    quota = _cgroup_cores()
    return affinity if quota is None else max(1, min(affinity, int(quota)))


def _cgroup_cores() -> float | None:
    """The CPU quota of this process's cgroup (version 2) in cores; None without one."""
    limit = _cgroup_value("cpu.max")
    if limit is None or limit.startswith("max"):
        return None
    quota, period = limit.split()
    return int(quota) / int(period)


def _memory_mib() -> int:
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = _cgroup_value("memory.max")
    allowed = physical if limit in (None, "max") else min(physical, int(str(limit)))
    return allowed // 2**20


def _cgroup_value(name: str) -> str | None:
    try:
        own = Path("/proc/self/cgroup").read_text().strip().splitlines()[-1].split("::")[-1]
        folders = [Path("/sys/fs/cgroup") / own.lstrip("/"), Path("/sys/fs/cgroup")]
        return next((f / name).read_text().strip() for f in folders if (f / name).exists())
    except (OSError, StopIteration, IndexError):
        return None
