from __future__ import annotations

import pytest

from hpo.errors import DeviceError
from hpo.workers.devices import Machine, choose, discover, thread_environment

CPU = Machine(cores=4, memory_mib=16_000)
GPUS = Machine(cores=16, memory_mib=64_000, cuda=("A", "B", "C"))
MAC = Machine(cores=8, memory_mib=16_000, mps=True)


def names(text: str, machine: Machine, **options: int) -> list[str]:
    return [slot.name for slot in choose(text, machine, **options).slots]


@pytest.mark.parametrize(
    ("text", "machine", "slots"),
    [
        ("auto", CPU, ["cpu#0", "cpu#1", "cpu#2", "cpu#3"]),
        ("auto", GPUS, ["cuda:0#0", "cuda:1#0", "cuda:2#0"]),
        ("auto", MAC, ["mps#0"]),
        ("cpu", GPUS, ["cpu#0"]),
        ("cpu*2", GPUS, ["cpu#0", "cpu#1"]),
        ("cuda:0,cuda:2", GPUS, ["cuda:0#0", "cuda:2#0"]),
        ("cuda*2", GPUS, ["cuda:0#0", "cuda:0#1", "cuda:1#0", "cuda:1#1", "cuda:2#0", "cuda:2#1"]),
        ("cuda:1*2, cpu", GPUS, ["cuda:1#0", "cuda:1#1", "cpu#0"]),
    ],
)
def test_a_device_text_stands_for_these_slots(
    text: str, machine: Machine, slots: list[str]
) -> None:
    assert names(text, machine) == slots


def test_a_number_of_workers_is_spread_over_the_devices() -> None:
    assert names("auto", GPUS, workers=4) == ["cuda:0#0", "cuda:1#0", "cuda:2#0", "cuda:0#1"]
    assert names("auto", CPU, workers=6) == [f"cpu#{i}" for i in range(6)]
    assert names("cpu*4", CPU, workers=2) == ["cpu#0", "cpu#1"]


def test_a_cuda_worker_sees_only_its_device() -> None:
    slots = choose("cuda:0,cuda:2", GPUS).slots
    assert [dict(slot.environment) for slot in slots] == [
        {"CUDA_VISIBLE_DEVICES": "0"},
        {"CUDA_VISIBLE_DEVICES": "2"},
    ]
    assert {slot.seen_as for slot in slots} == {"cuda:0"}


def test_devices_that_the_user_made_visible_keep_their_names_for_the_driver() -> None:
    chosen = Machine(cores=8, memory_mib=16_000, cuda=("A", "B"), visible=("3", "GPU-5f"))
    (slot,) = choose("cuda:1", chosen).slots
    assert slot.environment == {"CUDA_VISIBLE_DEVICES": "GPU-5f"}


def test_threads_of_a_worker_cost_cores_and_little_memory_costs_workers() -> None:
    assert len(names("auto", CPU, threads=2)) == 2
    small = Machine(cores=4, memory_mib=1100)
    choice = choose("auto", small)
    assert len(choice.slots) == 2
    assert "memory for 2 only (1100 MiB)" in choice.reason


@pytest.mark.parametrize(
    ("machine", "reason"),
    [
        (CPU, "4 workers: no CUDA device, 4 CPU cores, 1 thread each"),
        (Machine(1, 4000), "1 worker: no CUDA device, 1 CPU core, 1 thread each"),
        (GPUS, "3 workers: 3 CUDA devices, 1 thread each"),
        (MAC, "1 worker: no CUDA device, MPS, 1 thread each"),
    ],
)
def test_the_choice_says_its_reason(machine: Machine, reason: str) -> None:
    assert choose("auto", machine).reason == reason


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cuda:5", "no device 'cuda:5' here. There is: cuda:0, cuda:1, cuda:2, cpu"),
        ("mps", "no device 'mps' here"),
        ("cuad:0", "Did you mean"),
        ("cpu*0", "at least one worker"),
        ("gpu", "Did you mean 'cuda'?"),
        ("cpu:1", "A device must be"),
        ("", "A device must be"),
        ("cpu,,cpu", "A device must be"),
    ],
)
def test_a_device_that_is_not_there_is_refused_by_name(text: str, said: str) -> None:
    with pytest.raises(DeviceError) as error:
        choose(text, GPUS)
    assert said in str(error.value)


def test_this_machine_has_a_core_and_memory() -> None:
    machine = discover()
    assert machine.cores >= 1
    assert machine.memory_mib > 100


def test_every_numeric_library_is_held_to_its_threads() -> None:
    assert set(thread_environment(2).values()) == {"2"}
    assert "OMP_NUM_THREADS" in thread_environment(1)
