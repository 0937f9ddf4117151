from __future__ import annotations

import pytest
import yaml
from google.protobuf import json_format
from kfp import compiler, local
from kfp.dsl import Dataset
from kfp.pipeline_spec import pipeline_spec_pb2

from kubeflow_impl import components
from kubeflow_impl.pipeline import retrain
from shared import registry
from shared.records import Trained


@pytest.fixture
def run_locally(tmp_path):
    """Run the whole pipeline as `kfp.local` does: every component in a process of its own."""
    local.init(local.SubprocessRunner(use_venv=False), pipeline_root=str(tmp_path / "kfp"), raise_on_error=True)

    def run(config):
        settings = config.json_dict()
        return retrain(month=settings.pop("month"), settings=settings)

    return run


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    """The compiled pipeline, read into the type that the backend reads: unknown or mistyped fields would fail."""
    path = tmp_path_factory.mktemp("ir") / "retrain.yaml"
    compiler.Compiler().compile(retrain, str(path))
    return json_format.ParseDict(yaml.safe_load(path.read_text()), pipeline_spec_pb2.PipelineSpec())


def test_the_compiled_graph_is_the_pipeline(spec):
    tasks = spec.root.dag.tasks
    assert {name: sorted(task.dependent_tasks) for name, task in tasks.items()} == {
        "ingest": [],
        "validate": ["ingest"],
        "for-loop-1": ["validate"],
        "select": ["for-loop-1"],
        "evaluate": ["select", "validate"],
        "condition-2": ["evaluate", "validate"],
    }
    assert tasks["condition-2"].trigger_policy.condition.endswith("== true")
    assert list(spec.components["comp-for-loop-1"].dag.tasks) == ["train"]
    assert list(spec.components["comp-condition-2"].dag.tasks) == ["register"]


def test_parameters_and_artifacts_are_typed(spec):
    inputs = spec.root.input_definitions.parameters
    number = pipeline_spec_pb2.ParameterType
    assert inputs["month"].parameter_type == number.STRING
    assert inputs["settings"].parameter_type == number.STRUCT
    validate = spec.components["comp-validate"]
    assert validate.input_definitions.artifacts["data"].artifact_type.schema_title == "system.Dataset"
    train = spec.components["comp-train"]
    assert train.output_definitions.artifacts["metrics"].artifact_type.schema_title == "system.Metrics"
    register = spec.components["comp-register"]
    assert register.output_definitions.artifacts["model"].artifact_type.schema_title == "system.Model"


def test_every_component_runs_in_our_image_and_installs_nothing(spec):
    executors = json_format.MessageToDict(spec.deployment_spec)["executors"]
    assert len(executors) == 6
    for executor in executors.values():
        assert executor["container"]["image"] == components.IMAGE
        assert not components.IMAGE.endswith(":latest")  # Kind would try to pull it
        assert "pip install" not in " ".join(executor["container"]["command"])


def test_no_step_is_cached_and_those_that_write_to_mlflow_are_retried(spec):
    tasks = dict(spec.root.dag.tasks)
    tasks |= spec.components["comp-for-loop-1"].dag.tasks
    tasks |= spec.components["comp-condition-2"].dag.tasks
    for name in ("ingest", "validate", "train", "select", "evaluate", "register"):
        assert not tasks[name].caching_options.enable_cache
    assert {name for name, task in tasks.items() if task.retry_policy.max_retry_count} == {
        "ingest",
        "train",
        "evaluate",
        "register",
    }


def test_components_are_plain_functions_underneath(make_config, tmp_path):
    """`.python_func` is the undecorated function: the quickest way to test one component."""
    settings = make_config("2013-03").json_dict()
    data, validated = (Dataset(uri=str(tmp_path / name)) for name in ("data", "validated"))
    components.ingest.python_func(settings.pop("month"), settings, "run-1", data)
    assert data.metadata["data_version"].endswith(".dir")
    candidates = components.validate.python_func(data, validated)
    assert [each["name"] for each in candidates] == ["logistic_regression", "hist_gradient_boosting"]
    assert validated.metadata["psi"]["temp"] > 0.25

    def trained(name, loss):
        fields = {"run_id": "", "model_uri": "", "model_digest": "", "auc": 0.7, "base_rate": 0.2}
        return Trained(candidate=name, log_loss=loss, **fields).json_dict()

    assert components.select.python_func([trained("a", 0.5), trained("b", 0.4)])["candidate"] == "b"


def test_a_local_run_promotes_then_rejects(make_config, run_locally, tmp_path):
    config = make_config("2013-03")
    run_locally(config)
    outcome = registry.outcome(config)
    assert (outcome.orchestrator, outcome.version) == ("kubeflow", 1)
    assert list((tmp_path / "kfp").glob("*/register/executor_output.json"))

    again = make_config("2013-03", request_id="again")
    run_locally(again)
    assert registry.outcome(again).promoted is False
    assert registry.champion(again) == 1
    assert len(list((tmp_path / "kfp").glob("*/register"))) == 1  # the second run skipped it


def test_bad_data_fail_the_run_with_their_cause(make_config, run_locally, spoil, capfd):
    spoil("2013-03", lambda frame: frame.rename(columns={"origin": "airport"}))
    config = make_config("2013-03")
    with pytest.raises(RuntimeError, match="validate"):
        run_locally(config)
    assert "column origin is missing" in capfd.readouterr().out
    assert registry.champion(config) is None
