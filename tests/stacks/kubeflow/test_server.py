"""What the adapter's commands ask of a server, shown against a stand-in: by KFP's own client, over real HTTP.

In `executing` the steps are real, with MLflow, and the server is not. What KFP does with a cron or a retry is KFP's
own affair, and is not shown here.
"""

from __future__ import annotations

import json
import subprocess
import time
from datetime import datetime

import httpx
import pytest
import yaml

from benchmarks.kubeflow import deploy
from benchmarks.kubeflow.api import KfpApi
from benchmarks.places import ROOT, child_env
from shared import registry
from shared.registry import promotion_log
from shared.schedule import month_due
from tests.stacks.kubeflow.conftest import QUICK, until

SCHEDULED = "{{$.pipeline_job_schedule_time_utc}}"


@pytest.mark.capability("schedule")
@pytest.mark.capability("pause")
@pytest.mark.capability("catch-up")
@pytest.mark.bad_input("schedule-while-active")
def test_a_schedule_knows_its_month_is_paused_and_catches_up_or_not(fake, command):
    # A cron that ends before it is asked for, and catches up: KFP's own backfill.
    command(fake, "schedule", "on", "--catch-up", "--start", "2013-03-15T00:00:00Z", "--end", "2013-05-15T00:00:00Z")
    [past] = fake.recurring.values()
    assert (past["no_catchup"], int(past["max_concurrency"]), past["status"]) == (False, 1, "ENABLED")
    cron = past["trigger"]["cron_schedule"]
    assert cron["start_time"].startswith("2013-03-15T00:00:00")
    # From now on; the earlier one is replaced, and one run at a time waits for the one that is active.
    command(fake, "schedule", "on", "--settings", '{"model_name": "mine"}')
    [made] = fake.recurring.values()
    assert (made["no_catchup"], int(made["max_concurrency"])) == (True, 1)
    assert made["runtime_config"]["parameters"] == {"settings": {"model_name": "mine"}}
    assert len(made["trigger"]["cron_schedule"]["cron"].split()) == 6
    for word, status in (("pause", "DISABLED"), ("resume", "ENABLED")):
        command(fake, "schedule", word)
        assert fake.recurring[made["recurring_run_id"]]["status"] == status

    # What it runs asks for the scheduled instant, and the month comes from that, in the data's own zone.
    version = fake.versions[made["pipeline_version_reference"]["pipeline_version_id"]]
    root = next(yaml.safe_load_all(version["uploaded"]))["root"]["dag"]["tasks"]
    assert root["due"]["inputs"]["parameters"]["scheduled"]["runtimeValue"]["constant"] == SCHEDULED
    assert root["retrain"]["inputs"]["parameters"]["month"]["taskOutputParameter"]["producerTask"] == "due"
    at = dict(zip(("second", "minute", "hour"), made["trigger"]["cron_schedule"]["cron"].split(), strict=False))
    for month in range(1, 13):  # in summer as in winter, it is the month before
        instant = f"2013-{month:02}-01T{int(at['hour']):02}:00:00Z"
        assert month_due(instant) == (f"2013-{month - 1:02}" if month > 1 else "2012-12")


def notice(folder, month, data_rev="a" * 40, **settings):
    path = folder / f"{month}-{data_rev[:4]}.json"
    path.with_suffix(".part").write_text(json.dumps({"month": month, "data_rev": data_rev, "settings": settings}))
    path.with_suffix(".part").rename(path)
    return path


@pytest.fixture
def sensor(kfp, tmp_path):
    """Start a sensor on a folder; call it again for another one."""
    started = []

    def start(server, folder):
        words = [kfp, "-W", "ignore", "-m", "kubeflow_impl.sensor", folder, "--every", "0.2", "--host", server.address]
        log = tmp_path / f"sensor-{len(started)}.log"
        process = subprocess.Popen(words, stdout=log.open("w"), stderr=subprocess.STDOUT, cwd=ROOT, env=child_env())
        started.append(process)
        return process, log

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.capability("event")
@pytest.mark.bad_input("event-twice")
@pytest.mark.bad_input("event-trained")
@pytest.mark.bad_input("event-out-of-order")
@pytest.mark.bad_input("event-unknown-month")
def test_a_month_that_lands_starts_its_run(executing, sensor, tmp_path, figure):
    fake, config = executing
    folder = tmp_path / "arrivals"
    folder.mkdir()
    process, log = sensor(fake, folder)
    until(lambda: any(path.endswith("/experiments") for _, path, *_ in fake.asked))

    def ended(count):
        return until(lambda: len(fake.runs) == count and [*fake.runs.values()][-1].get("finished_at"), 180)

    landed = time.time()
    notice(folder, "2013-03", candidates=[QUICK])
    [run] = until(lambda: list(fake.runs.values()))
    figure("notice to run (stand-in for the server)", time.time() - landed, "s")
    assert datetime.fromisoformat(run["created_at"]).timestamp() - landed < 10
    ended(1)
    assert run["state"] == "SUCCEEDED", fake.logs
    assert run["runtime_config"]["parameters"]["data_rev"] == "a" * 40
    assert [entry.month for entry in promotion_log(config)] == ["2013-03"]

    # The same notice again, and a sensor that knows nothing of the first: no second run.
    process.kill()
    process.wait()
    _, log = sensor(fake, folder)
    until(lambda: "had started" in log.read_text())
    assert len(fake.runs) == 1
    notice(folder, "2013-04", candidates=[QUICK], gate={"min_auc_gain": -1})
    ended(2)
    assert registry.champion(config) == 2, fake.logs  # trained on all before April
    # Data of another revision for a month that it was trained on, and a month that comes late: their runs refuse them.
    for count, (month, rev) in enumerate([("2013-03", "b" * 40), ("2013-02", "a" * 40)], 3):
        notice(folder, month, rev, candidates=[QUICK])
        ended(count)
        [*_, last] = fake.runs.values()
        assert (last["state"], last["runtime_config"]["parameters"]["month"]) == ("FAILED", month)
    # No month at all, and no notice at all: told, and nothing started.
    notice(folder, "2014-03")
    (folder / "0.json").write_text("{")
    until(lambda: log.read_text().count("bad notice") == 2)
    assert "there is no month 2014-03" in log.read_text()
    assert len(fake.runs) == 4
    assert [entry.month for entry in promotion_log(config)] == ["2013-03", "2013-04"]
    assert registry.champion(config) == 2


@pytest.mark.capability("backfill")
@pytest.mark.capability("resume")
@pytest.mark.bad_input("backfill-hole")
def test_a_range_of_months_so_many_at_once_and_again_where_it_failed(executing, command):
    fake, config = executing
    most, active, start, own = [0], [0], fake._execute, fake.spoil

    def counted(run):
        active[0] += 1
        most[0] = max(most[0], active[0])
        start(run)
        active[0] -= 1

    def hole(settings):
        own(settings)
        settings["candidates"] = [QUICK]
        if "hole" in holes:
            settings["contract"] = {"min_rows": 10**7, "max_rows": 10**8}

    holes = {"hole"}
    fake._execute, fake.spoil = counted, hole
    done = command(fake, "backfill", "2013-02", "2013-04", "--at-once", "2", "--every", "0.2", check=False)
    assert done.returncode == 1
    assert (most[0], len(fake.runs)) == (2, 3)
    assert {run["state"] for run in fake.runs.values()} == {"FAILED"}
    assert registry.champion(config) is None  # a hole promotes nothing

    holes.clear()
    done = command(fake, "backfill", "2013-02", "2013-04", "--at-once", "1", "--every", "0.2")
    retried = [path for method, path, *_ in fake.asked if path.endswith(":retry")]
    assert len(retried) == len(fake.runs) == 3  # KFP's own retry, and no new run
    months = [entry.month for entry in promotion_log(config)]
    assert months == sorted(months) == ["2013-02", "2013-03", "2013-04"]

    command(fake, "backfill", "2013-02", "2013-04", "--every", "0.2")
    assert len(fake.runs) == 3
    assert len(promotion_log(config)) == 3


@pytest.mark.capability("versions")
def test_two_versions_side_by_side_and_an_old_one_again(fake, command):
    api = KfpApi(fake.address)
    old, new = (deploy.compile_ir(f"registry.example/bakeoff-kubeflow:{tag}") for tag in ("0ld", "new"))
    for ir, commit in ((old, "c0ffeec0ffee"), (new, "decafdecafde")):
        version = deploy.upload(api, ir, commit)
        api.create_run(commit, api.experiment("bakeoff"), version.pipeline, version.id, {"month": "2013-03"})
    first, second = fake.runs
    told = command(fake, "versions", "of", first).stdout
    assert "commit c0ffeec0ffee" in told
    assert f"digest {old.digest}" in told
    assert "image registry.example/bakeoff-kubeflow:0ld" in told
    command(fake, "versions", "again", first, "once more")
    again = [*fake.runs.values()][-1]
    assert again["display_name"] == "once more"
    assert again["pipeline_version_reference"] == fake.runs[first]["pipeline_version_reference"]
    assert again["pipeline_version_reference"] != fake.runs[second]["pipeline_version_reference"]
    assert again["runtime_config"]["parameters"] == {"month": "2013-03"}


@pytest.mark.capability("secrets")
def test_nothing_that_a_server_is_given_holds_a_secret(executing, command, monkeypatch):
    fake, _ = executing
    secrets = {name: f"s3cr3t-of-{name}" for name in ("MLFLOW_TRACKING_PASSWORD", "AWS_SECRET_ACCESS_KEY")}
    for name, value in {**secrets, "MLFLOW_TRACKING_USERNAME": "bakeoff"}.items():
        monkeypatch.setenv(name, value)
    ir = deploy.compile_ir("registry.example/bakeoff-kubeflow:abc")
    deploy.upload(KfpApi(fake.address), ir, "c0ffee")
    command(fake, "backfill", "2013-02", "2013-02", "--every", "0.2", check=False)
    command(fake, "schedule", "on")
    sent = "".join(str(each) for each in fake.asked) + ir.content.decode()
    assert "2013-02" in sent
    for name, value in secrets.items():
        assert value not in sent
        assert name in sent  # the Secret's key: that is how a pod comes by it
    assert "secretName: bakeoff-mlflow" in ir.content.decode()


@pytest.mark.capability("hybrid")
def test_another_tool_submits_a_run_and_waits_for_it(fake):
    """All that a task of Airflow or Prefect needs: three calls, and no package of KFP's."""
    server = f"{fake.address}/apis/v2beta1"
    pipeline = httpx.get(f"{server}/pipelines/names/retrain").json()["pipeline_id"]
    experiment = httpx.post(f"{server}/experiments", json={"display_name": "bakeoff"}).json()["experiment_id"]
    asked = {
        "display_name": "from another tool",
        "experiment_id": experiment,
        "pipeline_version_reference": {"pipeline_id": pipeline},  # the newest version
        "runtime_config": {"parameters": {"month": "2013-03"}},
    }
    run = httpx.post(f"{server}/runs", json=asked).json()["run_id"]
    state = until(lambda: httpx.get(f"{server}/runs/{run}").json()["state"] != "RUNNING" and "ended", 30)
    assert state == "ended"
    assert fake.runs[run]["pipeline_version_reference"]["pipeline_version_id"] in fake.versions


@pytest.mark.capability("ci")
def test_a_script_deploys_and_triggers_and_ends_with_the_outcome(executing, command):
    fake, config = executing
    fine = command(fake, "ci", "2013-02", "--settings", json.dumps({"candidates": [QUICK]}))
    assert fine.stdout.strip().endswith("2013-02: succeeded")
    bad = command(fake, "ci", "2013-03", "--settings", '{"candidates": []}', check=False)
    assert bad.returncode == 1
    assert bad.stdout.strip().endswith("2013-03: failed")
    assert len({run["pipeline_version_reference"]["pipeline_version_id"] for run in fake.runs.values()}) == 1
    assert [entry.month for entry in promotion_log(config)] == ["2013-02"]
