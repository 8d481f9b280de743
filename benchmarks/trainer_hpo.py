"""The same run by hpo's trainer; prints the CPU seconds of each epoch as JSON."""

from __future__ import annotations

import argparse
import itertools
import json
import time

from hpo.training.settings import MLPSettings
from hpo.training.trainer import fit

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("settings", type=json.loads)
    run = fit(MLPSettings.from_mapping(parser.parse_args().settings))
    ends = [time.process_time(), *(time.process_time() for _ in run)]
    print(json.dumps([end - start for start, end in itertools.pairwise(ends)]))
