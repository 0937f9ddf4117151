from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from google.protobuf import json_format
from kfp import compiler, local
from kfp.dsl import Artifact, Dataset
from kfp.kubernetes import kubernetes_executor_config_pb2
from kfp.pipeline_spec import pipeline_spec_pb2

from kubeflow_impl import components
from kubeflow_impl.pipeline import AT_ONCE, arguments, retrain
from shared import registry
from shared.errors import TrainingError
from shared.records import Trained

#: What is uploaded, as a file that is reviewed: `make ir` writes it anew.
GOLDEN = Path(__file__).with_name("retrain.yaml")
STEPS = ("fetch", "ingest", "validate", "train", "select", "evaluate", "register")
OPTIONAL = ("impute", "approve")


@pytest.fixture
def run_locally(tmp_path):
    """Run the whole pipeline as `kfp.local` does: every component in a process of its own."""

    def run(config, **options):
        root = str(tmp_path / "kfp")
        local.init(local.SubprocessRunner(use_venv=False), pipeline_root=root, raise_on_error=True, **options)
        return retrain(**arguments(config.json_dict()))

    return run


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    path = tmp_path_factory.mktemp("ir") / "retrain.yaml"
    compiler.Compiler().compile(retrain, str(path))
    return path.read_text()


@pytest.fixture(scope="module")
def spec(compiled):
    """The compiled pipeline, read into the type that the backend reads: unknown or mistyped fields would fail."""
    pipeline, _ = yaml.safe_load_all(compiled)
    return json_format.ParseDict(pipeline, pipeline_spec_pb2.PipelineSpec())


@pytest.fixture(scope="module")
def pods(compiled):
    """What the pods of each component are told by `kfp-kubernetes`, in the type that the backend reads."""
    _, platform = yaml.safe_load_all(compiled)
    spec = json_format.ParseDict(platform, pipeline_spec_pb2.PlatformSpec())
    executors = json_format.MessageToDict(spec.platforms["kubernetes"].deployment_spec)["executors"]
    config = kubernetes_executor_config_pb2.KubernetesExecutorConfig
    return {name.removeprefix("exec-"): json_format.ParseDict(each, config()) for name, each in executors.items()}


def once(names):
    """Components, without the numbers that KFP gives to those that stand in two branches."""
    return {re.sub(r"(-\d+)+$", "", name) for name in names}


@pytest.fixture(scope="module")
def tasks(spec):
    inner = (component.dag.tasks for component in spec.components.values() if component.HasField("dag"))
    found = {name: task for dag in [spec.root.dag.tasks, *inner] for name, task in dag.items()}
    return {name: found[name] for name in (*STEPS, *OPTIONAL)}


def test_what_is_uploaded_is_what_was_reviewed(compiled):
    assert compiled == GOLDEN.read_text(), "see the difference by `make ir && git diff`, and commit it if it is meant"


def test_the_compiled_graph_is_the_pipeline(spec):
    def graph(dag):
        return {name: sorted(task.dependent_tasks) for name, task in dag.tasks.items()}

    def inner(name):
        return spec.components[f"comp-{name}"].dag

    assert graph(spec.root.dag) == {
        "fetch": [],
        "ingest": ["fetch"],
        "validate": ["fetch", "ingest"],
        "condition-branches-1": ["validate"],
    }
    branches = {name: task.trigger_policy.condition for name, task in inner("condition-branches-1").tasks.items()}
    complete = "inputs.parameter_values['pipelinechannel--validate-complete'] == true"
    assert branches == {"condition-2": complete, "condition-3": f"!({complete})"}
    assert graph(inner("condition-2")) == {"challenge": []}
    assert graph(inner("condition-3")) == {"impute": [], "challenge-2": ["impute"]}
    for challenge in ("challenge", "challenge-2"):  # both branches come to the same
        assert graph(inner(challenge)) == {
            "for-loop-1": [],
            "select": ["for-loop-1"],
            "evaluate": ["select"],
            "condition-2": ["evaluate"],
            "condition-3": ["evaluate"],
        }
        loop, passed, ask = (inner(challenge).tasks[name] for name in ("for-loop-1", "condition-2", "condition-3"))
        assert loop.parameter_iterator.items.input_parameter == "pipelinechannel--candidates"
        assert loop.iterator_policy.parallelism_limit == AT_ONCE
        assert passed.trigger_policy.condition.endswith("== 'register'")
        assert ask.trigger_policy.condition.endswith("== 'ask'")


def test_parameters_and_artifacts_are_typed(spec):
    inputs = spec.root.input_definitions.parameters
    number = pipeline_spec_pb2.ParameterType
    assert {inputs[name].parameter_type for name in ("month", "dataset", "data_rev")} == {number.STRING}
    assert inputs["settings"].parameter_type == number.STRUCT
    validate = spec.components["comp-validate"]
    assert validate.input_definitions.artifacts["data"].artifact_type.schema_title == "system.Dataset"
    train = spec.components["comp-train"]
    assert train.output_definitions.artifacts["metrics"].artifact_type.schema_title == "system.Metrics"
    register = spec.components["comp-register"]
    assert register.output_definitions.artifacts["model"].artifact_type.schema_title == "system.Model"


def test_every_component_runs_in_our_image_and_installs_nothing(spec):
    executors = json_format.MessageToDict(spec.deployment_spec)["executors"]
    assert once(name.removeprefix("exec-") for name in executors) == {*STEPS, *OPTIONAL}
    for executor in executors.values():
        container = executor["container"]
        assert container["image"] == components.IMAGE
        assert not components.IMAGE.endswith(":latest")  # Kind would try to pull it
        assert "pip install" not in " ".join(container["command"])
        room = container["resources"]
        assert 0 < room["cpuRequest"] <= room["cpuLimit"] <= 2
        assert 0 < room["memoryRequest"] <= room["memoryLimit"] <= 2 * 1024**3 / 1e9


def test_only_what_depends_on_the_data_version_alone_is_cached(tasks):
    assert [name for name, task in tasks.items() if task.caching_options.enable_cache] == ["fetch"]
    inputs = tasks["fetch"].inputs
    assert set(inputs.parameters) == {"month", "dataset", "data_repo", "data_rev", "data_remote"}
    assert not inputs.artifacts


def test_what_touches_a_server_is_tried_again(tasks):
    tried = {name for name, task in tasks.items() if task.retry_policy.max_retry_count == 3}
    assert tried == {"fetch", "ingest", "train", "evaluate", "register", "approve"}


def test_pods_get_their_places_and_only_the_secrets_that_they_need(pods):
    for name, pod in pods.items():
        [places], [secret] = pod.config_map_as_env, pod.secret_as_env
        assert (places.config_map_name, places.optional, secret.optional) == ("bakeoff", True, True)
        assert secret.secret_name == ("bakeoff-data" if name == "fetch" else "bakeoff-mlflow")
    assert once(pods) == {*STEPS, *OPTIONAL}


def test_components_are_plain_functions_underneath(make_config, tmp_path):
    """`.python_func` is the undecorated function: the quickest way to test one component."""
    given = arguments(make_config("2013-03").json_dict())
    settings = given.pop("settings")
    data, opened, validated = (
        kind(uri=str(tmp_path / name))
        for kind, name in ((Dataset, "data"), (Artifact, "opened"), (Dataset, "validated"))
    )
    components.fetch.python_func(**{"data_rev": "", "data_remote": "", **given}, data=data)
    assert data.metadata["data_version"].endswith(".dir")
    components.ingest.python_func("2013-03", "flights", settings, "run-1", data, opened)
    assert opened.metadata["window"]["files"] == data.metadata["files"]
    complete, candidates = components.validate.python_func(data, opened, validated)
    assert complete
    assert [each["name"] for each in candidates] == ["logistic_regression", "hist_gradient_boosting"]
    assert validated.metadata["psi"]["temp"] > 0.25

    def trained(name, loss):
        fields = {"run_id": "", "model_uri": "", "model_digest": "", "auc": 0.7, "base_rate": 0.2}
        return Trained(candidate=name, log_loss=loss, **fields).json_dict()

    both = [trained("logistic_regression", 0.5), trained("hist_gradient_boosting", 0.4)]
    assert components.select.python_func(both, validated)["candidate"] == "hist_gradient_boosting"
    with pytest.raises(TrainingError, match="1 of 2 candidates"):
        components.select.python_func([both[0], {}], validated)


def test_a_cache_is_not_asked_about_data_that_may_change_elsewhere(tmp_path):
    with pytest.raises(ValueError, match="name its data_rev too"):
        components.fetch.python_func("2013-03", "flights", "https://example.org/data", "", "", Dataset())


def test_a_local_run_promotes_then_rejects(make_config, run_locally, tmp_path):
    config = make_config("2013-03")
    run_locally(config, enable_caching=True)
    outcome = registry.outcome(config)
    assert (outcome.orchestrator, outcome.version) == ("kubeflow", 1)
    assert list((tmp_path / "kfp").glob("*/register/executor_output.json"))

    again = make_config("2013-03", request_id="again")
    run_locally(again, enable_caching=True)
    ran = {name: len(list((tmp_path / "kfp").glob(f"*/{name}/executor_output.json"))) for name in STEPS[:3]}
    assert ran == {"fetch": 1, "ingest": 2, "validate": 2}  # the data came out of the cache, and nothing else did
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
