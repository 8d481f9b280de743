"""The image holds what its Dockerfile says, and `hpo` runs in it as anybody but root."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = Path(os.environ.get("HPO_IMAGE_FOLDER", ROOT / "build" / "image"))
TOOLS = ("buildah", "debootstrap", "unshare")


@pytest.mark.timeout(2400)
@pytest.mark.skipif(
    os.geteuid() != 0 or not all(map(shutil.which, TOOLS)),
    reason=f"building an image here takes root and {', '.join(TOOLS)}",
)
def test_the_image_is_built_and_runs_a_study_read_only_and_not_as_root() -> None:
    check = Path(__file__).with_name("check_image.py")
    FOLDER.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [sys.executable, str(check), str(FOLDER)], capture_output=True, text=True, timeout=2300
    )
    FOLDER.with_name("image-check.txt").write_text(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "10001" in done.stdout.splitlines()
    assert "tiny is finished" in done.stdout
