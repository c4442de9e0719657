"""ZeroGPU: predictions in the process that has the GPU, and nothing at all anywhere else. The library is a small stand-in that
forks as the real one does; the GPU itself is not there.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from annotator.models import zero_gpu

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = """
import multiprocessing, os

def GPU(task=None, *, duration=None):
    def marked(*args):
        fork = multiprocessing.get_context("fork")
        answers = fork.Queue()
        child = fork.Process(target=lambda: answers.put((os.getpid(), task(*args))))
        child.start()
        pid, answer = answers.get(timeout=60)
        child.join()
        CALLS.append((duration, pid != os.getpid(), answer is not None))
        return answer
    return marked

CALLS = []
"""
SCRIPT = """
import json
import torch
torch.set_num_threads(1)
import spaces
from annotator.models import zero_gpu
from annotator.models.serving import ModelService
from encoder.predict import Predictor
from tests.builders import a_post
from encoder.simple.learner import SimpleLearner
from storage.records import Criterion
from tests.encoder.tiny import CRITERIA, tiny_encoder
from tests.encoder.training_data import examples

assert zero_gpu.is_here()
night = Criterion("NIGHTS", "Nights", "The writer lies awake at night.")
first = Predictor(tiny_encoder(), "v1", SimpleLearner.fit(examples("new", 20, criterion="NIGHTS"), [night]))
zero_gpu.serve(first)
made = zero_gpu.predict(first, [a_post()], [*CRITERIA, night], None)
assert made == first.predict([a_post()], [*CRITERIA, night])
assert made[-1].known
later = Predictor(tiny_encoder(), "v2")
stale = zero_gpu.predict(later, [a_post()], CRITERIA, None)
print(json.dumps({"calls": spaces.CALLS, "stale": stale[0].model_version}))
"""


def test_anywhere_else_there_is_none() -> None:
    assert not zero_gpu.is_here()


@pytest.mark.slow
def test_a_prediction_runs_in_the_process_that_has_the_gpu(tmp_path: Path) -> None:
    (tmp_path / "spaces").mkdir()
    (tmp_path / "spaces" / "__init__.py").write_text(LIBRARY, "utf-8")
    (tmp_path / "spaces" / "config.py").write_text("class Config:\n    zero_gpu = True\n", "utf-8")
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"calls": [[60, True, True], [60, True, False]], "stale": "v2"}
