from __future__ import annotations

import pytest

from benchmarks import demo, results
from benchmarks.places import ADAPTER, ArmName

ENVIRONMENT = {
    "date": "2026-01-01T00:00:00+00:00",
    "commit": "abc",
    "os": "Linux",
    "machine": "x86_64",
    "cpu": "a cpu",
    "cpus": 2,
    "memory_gib": 8.0,
    "python": "3.11.0",
}


def retraining(**changes):
    fields = {"month": "2013-03", "status": "succeeded", "seconds": 3.0, "auc": 0.71, "log_loss": 0.49}
    fields |= {"candidate": "c", "promoted": True, "version": 1, "model_digest": "abcdef0123"}
    return results.Retraining(**{**fields, **changes})


def arm(name=ArmName.PLAIN, seconds=10.0, status="succeeded", **changes):
    return results.ArmResult(
        name=name,
        status=status,
        seconds=seconds,
        stop_s=0.1,
        adapter_lines=10,
        versions={},
        tracking_uri="sqlite:////somewhere/plain/mlflow.db",
        retrainings=[retraining(**changes)],
    )


def test_parity_is_equality_to_the_last_bit():
    assert results.parity([arm(), arm(ArmName.AIRFLOW, seconds=99)])
    for changes in ({"auc": 0.71 + 1e-15}, {"model_digest": "other"}, {"promoted": False}, {"version": 2}):
        assert not results.parity([arm(), arm(ArmName.AIRFLOW, **changes)]), changes


def test_there_is_no_parity_with_a_failed_arm():
    assert not results.parity([arm(), arm(ArmName.AIRFLOW, status="failed")])


def test_overhead_is_over_plain_and_only_where_both_succeeded():
    plain, airflow, failed = demo.with_overhead(
        [arm(), arm(ArmName.AIRFLOW, 42.5), arm(ArmName.PREFECT, status="failed")]
    )
    assert (plain.overhead_s, airflow.overhead_s, failed.overhead_s) == (None, 32.5, None)
    [alone] = demo.with_overhead([arm(ArmName.AIRFLOW)])
    assert alone.overhead_s is None


def test_a_result_file_can_be_read_again():
    result = results.DemoResult(environment=ENVIRONMENT, months=["2013-03"], arms=[arm()], parity=True)
    assert results.DemoResult.model_validate_json(result.model_dump_json()) == result


def test_a_failed_arm_stays_a_row_and_its_cause_is_told():
    broken = arm(ArmName.AIRFLOW, status="failed").model_copy(
        update={"error": "out of luck", "retrainings": [results.Retraining(month="2013-03", status="failed")]}
    )
    result = results.DemoResult(environment=ENVIRONMENT, months=["2013-03"], arms=[arm(), broken], parity=False)
    assert demo.table(result).row_count == 4  # each arm's row, and a blank one before it
    assert "parity: NO, the arms do not agree, or not all of them succeeded" in demo.summary(result)
    assert "airflow failed: out of luck" in demo.summary(result)


@pytest.mark.parametrize(
    ("name", "most"),
    # With approval, refusal and imputation in all three. In Python stand, besides, Airflow's alerts, logins and
    # schedules and Kubeflow's pods (room, addresses, secrets): what Prefect has of that in YAML is not counted.
    [(ArmName.PREFECT, 130), (ArmName.AIRFLOW, 270), (ArmName.KUBEFLOW, 200)],
)
def test_adapters_stay_thin(name, most):
    assert 20 < results.lines_of_code(ADAPTER[name]) <= most


def test_lines_of_code_leaves_out_blanks_and_comments(tmp_path):
    path = tmp_path / "some.py"
    path.write_text('"""Doc."""\n\n# why\nx = 1  # one\n')
    assert results.lines_of_code([path]) == 2


def test_the_environment_block_is_whole():
    block = results.environment()
    assert block.cpus > 0
    assert block.memory_gib > 0
    assert all(str(value) for value in block.model_dump().values())
