from __future__ import annotations

import json

import pytest

from benchmarks.places import ROOT
from benchmarks.stacks import image_size

#: `docker history --no-trunc --human=false` of the Airflow image, newest first; long commands are cut.
HISTORY = [
    {"CreatedBy": "LABEL org.opencontainers.image.revision=ffc16e6c73b6", "Size": "0"},
    {"CreatedBy": "COPY /opt/bakeoff/airflow_impl airflow_impl # buildkit", "Size": "15451"},
    {"CreatedBy": "COPY /opt/bakeoff/shared shared # buildkit", "Size": "453703"},
    {"CreatedBy": "COPY /opt/venv /opt/venv # buildkit", "Size": "776957055"},
    {"CreatedBy": "USER bakeoff", "Size": "0"},
    {"CreatedBy": "RUN /bin/sh -c useradd --create-home --uid 1000 bakeoff && install ...", "Size": "8917"},
    {"CreatedBy": 'CMD ["python3"]', "Size": "0"},
    {"CreatedBy": "RUN /bin/sh -c printf ...", "Size": "21621620"},
    {"CreatedBy": "COPY host-ca.crt /etc/ssl/certs/ca-certificates.crt # buildkit", "Size": "225079"},
    {"CreatedBy": "", "Size": "172878659"},
]
#: `docker image inspect --format {{.Size}}` of the same.
SIZE = 972160484


def test_the_base_image_is_what_lies_under_our_first_step():
    assert image_size.base_bytes(HISTORY) == 194725358  # what docker says of python:3.11-slim-bookworm itself
    assert image_size.base_bytes(HISTORY[:5]) == 0


def test_the_layers_are_the_image():
    assert sum(int(each["Size"]) for each in HISTORY) == SIZE


def test_our_first_step_is_still_the_dockerfiles():
    after_base = (ROOT / "compose" / "Dockerfile").read_text().split(" AS runtime\n")[1]
    steps = [line for line in after_base.splitlines() if not line.startswith("#")]
    assert image_size.FIRST_STEP in steps[0]


def test_the_parts_add_up_and_a_packages_libraries_are_its_own():
    parts = {"numpy": 20_000_000, "numpy.libs": 28_700_000, "numpy-2.4.6.dist-info": 100_000, "six.py": 40_000}
    parts |= {f"package{number}": 1_000_000 + number for number in range(12)}
    size = image_size.of_parts("airflow:0.1.0", SIZE, 194725358, parts, 84_300_000)
    assert (size.largest[0].name, size.largest[0].mb) == ("numpy", 48.7)
    assert len(size.largest) == image_size.LARGEST
    whole = [part.mb for part in size.largest] + [size.packages_rest_mb, size.base_mb, size.bytecode_mb, size.other_mb]
    assert sum(whole) == pytest.approx(size.mb, abs=1)


def test_what_runs_in_the_image_counts_every_file_once(tmp_path, capsys, monkeypatch):
    (tmp_path / "numpy" / "core").mkdir(parents=True)
    (tmp_path / "numpy" / "core" / "a.so").write_bytes(b"x" * 100)
    (tmp_path / "numpy" / "b.py").write_bytes(b"x" * 10)
    (tmp_path / "numpy" / "__pycache__").mkdir()
    (tmp_path / "numpy" / "__pycache__" / "b.pyc").write_bytes(b"x" * 7)
    (tmp_path / "six.py").write_bytes(b"x" * 5)
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(tmp_path))
    exec(image_size._WALK, {})
    assert json.loads(capsys.readouterr().out) == {"parts": {"numpy": 110, "six.py": 5}, "bytecode": 7}
