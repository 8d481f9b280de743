"""Build the image with buildah on a base made here, and run `hpo` in it as its user.

`python tests/container/check_image.py FOLDER` keeps the base and the image's layers in FOLDER. It
needs root, buildah and debootstrap, and no container engine: the finished image is mounted
read-only in a mount namespace of its own, with the three places that a container gets to write to.
"""

from __future__ import annotations

import configparser
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).parents[2]
BASE = "localhost/hpo-base"
IMAGE = "localhost/hpo-test"
MOST_IMAGES = 12  # each changed source adds two, of which one is new to its last gigabyte
USER = "10001:10001"
# What a CPython of /usr/local needs beside Debian's minimal base.
LIBRARIES = "ca-certificates,libbz2-1.0,libexpat1,libffi8,liblzma5,libsqlite3-0,libssl3,zlib1g"
UNUSED = ("test", "idlelib", "turtledemo", "tkinter", "site-packages", "ensurepip/__pycache__")


def run(*command: str | Path, timeout_s: float, quiet: bool = False) -> str:
    """Run a command, and end this program with its output when it fails."""
    begin = time.monotonic()
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, timeout=timeout_s
    )
    seconds = time.monotonic() - begin
    shown = shlex.join(str(part) for part in command)
    print(f"[{seconds:6.1f} s] {shown if len(shown) < 100 else shown[:97] + '...'}", flush=True)
    if done.returncode:
        sys.exit(f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}\nexit code {done.returncode}")
    if not quiet:
        print(done.stdout.rstrip(), flush=True)
    return done.stdout


def buildah(folder: Path, *command: str | Path, timeout_s: float = 120) -> str:
    """Run buildah with a store of our own."""
    store = ("--root", folder / "store", "--runroot", folder / "run")
    return run("buildah", *store, *command, timeout_s=timeout_s, quiet=True).strip()


def make_base(folder: Path) -> bool:
    """Debian's minimal base with this machine's CPython in /usr/local, as the official image.

    Returns:
        Whether it was there already.
    """
    images = buildah(folder, "images", "--format", "{{.Name}}").split()
    if len(images) > MOST_IMAGES:
        buildah(folder, "rmi", "--all", "--force")
    elif BASE in images:
        return True
    rootfs = folder / "rootfs"
    release = re.findall(r"VERSION_CODENAME=(\w+)", Path("/etc/os-release").read_text())[0]
    shutil.rmtree(rootfs, ignore_errors=True)
    bootstrap = ("debootstrap", "--variant=minbase", f"--include={LIBRARIES}", release, rootfs)
    run(*bootstrap, timeout_s=300, quiet=True)
    copy_python(rootfs / "usr" / "local")
    run("chroot", rootfs, "ldconfig", timeout_s=60, quiet=True)
    run("chroot", rootfs, "python3", "-m", "ensurepip", timeout_s=120, quiet=True)
    container = buildah(folder, "from", "scratch")
    buildah(folder, "add", "--quiet", container, rootfs, "/")
    buildah(
        folder, "config", "--env", "PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", container
    )
    buildah(folder, "commit", "--quiet", "--rm", container, BASE, timeout_s=300)
    shutil.rmtree(rootfs)
    return False


def copy_python(target: Path) -> None:
    """Copy this interpreter's own tree: binary, shared library and standard library."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    source = Path(sys.base_prefix)
    (target / "bin").mkdir(parents=True, exist_ok=True)
    shutil.copy2(source / "bin" / version, target / "bin" / version)
    for name in ("python3", "python"):
        (target / "bin" / name).symlink_to(version)
    for library in (source / "lib").glob("libpython*.so*"):
        shutil.copy2(library, target / "lib" / library.name)
    ignored = shutil.ignore_patterns("__pycache__", *UNUSED)
    shutil.copytree(source / "lib" / version, target / "lib" / version, ignore=ignored)
    shutil.copytree(sysconfig.get_path("include"), target / "include" / version)


def pip_settings(folder: Path) -> list[str]:
    """What this machine's pip is told is told to the build's: volumes for it and its folders."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    )
    settings = configparser.RawConfigParser()
    settings.add_section("global")
    mounted: list[str] = []
    for key, value in re.findall(r"^(?:global|:env:)\.([\w-]+)='(.*)'$", listed.stdout, re.M):
        settings["global"][key] = value
        mounted += filter(None, map(local_path, value.split()))
    with (folder / "pip.conf").open("w") as file:
        settings.write(file)
    volumes = [f"{path}:{path}:ro" for path in dict.fromkeys(mounted)]
    return [f"--volume={volume}" for volume in [*volumes, f"{folder}/pip.conf:/etc/pip.conf:ro"]]


def local_path(word: str) -> str | None:
    """The file or folder that a word of pip's settings stands for, with what it links to."""
    parts = urlsplit(word)
    path = Path(parts.path)
    if not parts.path.startswith("/") or parts.netloc or not path.exists():
        return None
    return str(path.parent if parts.scheme == "file" else path)


def torch_requirement(folder: Path) -> str:
    """A CPU-only torch where this machine's pip has one at hand, else the one with CUDA, 5 GB."""
    settings = configparser.RawConfigParser()
    settings.read(folder / "pip.conf")
    tag = f"cp{sys.version_info.major}{sys.version_info.minor}"
    for place in settings.get("global", "find-links", fallback="").split():
        for wheel in sorted(Path(urlsplit(place).path).glob(f"torch-*+cpu-{tag}-*.whl")):
            return f"torch=={wheel.name.split('-')[1]} torchvision"
    return "torch torchvision"


def build(folder: Path) -> None:
    """Build the repository's Dockerfile."""
    # Layers are worth their making only where they are used again.
    layers = "--layers" if make_base(folder) else "--layers=false"
    volumes = pip_settings(folder)
    arguments = (f"PYTHON_IMAGE={BASE}", f"TORCH={torch_requirement(folder)}")
    options = ("--pull=never", "--isolation=chroot", "--network=host", layers, "--quiet")
    given = [f"--build-arg={argument}" for argument in arguments]
    buildah(folder, "bud", *options, *volumes, *given, "--tag", IMAGE, ROOT, timeout_s=1500)


def run_in_image(folder: Path, commands: list[str]) -> None:
    """Run shell commands in the image as its user, its root file system read-only."""
    container = buildah(folder, "from", "--pull-never", IMAGE)
    try:
        mounted = buildah(folder, "mount", container)
        project = folder / "project"
        shutil.rmtree(project, ignore_errors=True)
        shutil.copytree(Path(__file__).parent / "project", project)
        run("chown", "-R", USER, project, timeout_s=60, quiet=True)
        script = folder / "in-image.sh"
        script.write_text(namespace_script(mounted, project, environment(folder, container)))
        for command in commands:
            run("unshare", "--mount", "--pid", "--fork", "sh", script, command, timeout_s=300)
    finally:
        buildah(folder, "rm", container)


def environment(folder: Path, container: str) -> list[str]:
    """The variables that the image sets."""
    template = "{{range .OCIv1.Config.Env}}{{println .}}{{end}}"
    return buildah(folder, "inspect", "--format", template, container).splitlines()


def namespace_script(mounted: str, project: Path, variables: list[str]) -> str:
    """What a container engine does for `run --read-only --tmpfs /tmp --volume PROJECT:/project`."""
    given = shlex.join(variables)
    inside = f'cd /project && exec env -i {given} sh -c "$0"'
    return f"""set -e
mount --make-rprivate /
mount --bind {mounted} {mounted}
mount -o remount,bind,ro {mounted}
mount -t tmpfs -o mode=1777 tmpfs {mounted}/tmp
mount -t tmpfs -o mode=1777 tmpfs {mounted}/data
mount -t proc proc {mounted}/proc
mount -t tmpfs tmpfs {mounted}/dev
for name in null zero random urandom; do
    touch {mounted}/dev/$name
    mount --bind /dev/$name {mounted}/dev/$name
done
mkdir -m 1777 {mounted}/dev/shm
mount --bind {project} {mounted}/project
exec chroot --userspec={USER} {mounted} sh -c {shlex.quote(inside)} "$1"
"""


# Byte 4 of compiled code: 1 = valid whatever the time of its source says.
COMPILED = (
    "import json, click, hpo; "
    'print(*(open(m.__cached__, "rb").read(5)[4] for m in (json, click, hpo)))'
)
COMMANDS = [
    "hpo --help",
    f"test \"$(python -c '{COMPILED}')\" = '1 1 1'",
    "! touch /opt/hpo/file 2>/dev/null && id --user",
    "hpo plan studies/tiny.yaml",
    "hpo run studies/tiny.yaml --workers 1",
    "hpo show tiny",
    "hpo run studies/tiny.yaml --workers 1 && test $(stat --format=%u hpo.db) = 10001",
]


def main() -> None:
    """Build, run, and print what both took."""
    folder = Path(sys.argv[1]).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    build(folder)
    print(buildah(folder, "images", "--format", "{{.Name}}: {{.Size}}", IMAGE))
    run_in_image(folder, sys.argv[2:] or COMMANDS)


if __name__ == "__main__":
    main()
