"""Monthly retraining as a Kubeflow pipeline.

python -m kubeflow_impl.pipeline retrain.yaml    # compile to IR YAML, to upload to a Kubeflow Pipelines server
"""

import sys

from kfp import compiler, dsl, kubernetes
from kfp.dsl import Dataset, Input

from kubeflow_impl import components

# KFP cannot tell bad data from a server that is down: whatever fails here is tried again, after 5, 15 and 45 s.
RETRY = {"num_retries": 3, "backoff_duration": "5s", "backoff_factor": 3, "backoff_max_duration": "45s"}
# So many candidates are trained at a time. A constant of a version: KFP takes no parameter for it.
AT_ONCE = 4
# What the cluster knows and a run need not say: where things are, and what they ask for. All of it may be missing.
PLACES = ("BAKEOFF_TRACKING_URI", "BAKEOFF_DATA_REMOTE", "BAKEOFF_MLFLOW_UI", "BAKEOFF_KFP_UI")
OBJECT_STORE = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL")
MLFLOW = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")


def task(made: dsl.PipelineTask, cpu: str, memory: str, secret: str = "bakeoff-mlflow", keys=MLFLOW):
    """What every pod gets: room on a laptop's cluster, its places and its secrets."""
    made.set_cpu_request("200m").set_cpu_limit(cpu).set_memory_request("512Mi").set_memory_limit(memory)
    kubernetes.use_config_map_as_env(made, "bakeoff", {name: name for name in PLACES}, optional=True)
    kubernetes.use_secret_as_env(made, secret, {key: key for key in keys}, optional=True)
    # All but `fetch` write to MLflow, or read what others wrote there: a cache hit would skip it.
    return made.set_caching_options(False)


@dsl.pipeline(name="challenge", description="Train the candidates; promote the best if the gate passes.")
def challenge(data: Input[Dataset], candidates: list, approval: bool, approval_s: int):
    """What follows once the data are complete; a pipeline in the pipeline, for both ways lead to it.

    `dsl.OneOf` would need only one, but kfp.local knows it for parameters only, not for the data sets meant here.
    """
    with dsl.ParallelFor(candidates, name="each-candidate", parallelism=AT_ONCE) as candidate:
        trained = task(components.train(candidate=candidate, data=data), "2", "2Gi").set_retry(**RETRY)

    selected = task(components.select(trained=dsl.Collected(trained.outputs["Output"]), data=data), "1", "1Gi")
    judging = components.evaluate(challenger=selected.output, approval=approval, data=data)
    judged = task(judging, "1", "2Gi").set_retry(**RETRY)
    outcome = {"verdict": judged.outputs["verdict"], "data": data}

    with dsl.If(judged.outputs["Output"] == "register", name="gate-passed"):
        task(components.register(**outcome), "1", "2Gi").set_retry(**RETRY)

    with dsl.If(judged.outputs["Output"] == "ask", name="gate-passed-ask"):
        answer = task(components.approve(timeout_s=approval_s, **outcome), "1", "1Gi").set_retry(**RETRY)
        with dsl.If(answer.output == True, name="approved"):  # noqa: E712 - compiled, not evaluated
            task(components.register(**outcome), "1", "2Gi").set_retry(**RETRY)


@dsl.pipeline(name="retrain", description="Train on all months before the chosen one; promote if the gate passes.")
def retrain(
    month: str = "2013-05",
    dataset: str = "flights",
    data_repo: str = "",
    data_rev: str = "",
    data_remote: str = "",
    settings: dict = {},  # noqa: B006 - KFP reads the default, nothing changes it
    approval: bool = False,
    approval_s: int = 86_400,
):
    """Retrain once.

    Args:
        month: the month that has just arrived.
        dataset: the data set that it is a window of.
        data_repo: git repository of the data's versions, as DVC keeps them; empty: the one in the image.
        data_rev: its revision; empty: the latest, which only the image's own repository may be asked for.
        data_remote: DVC remote that holds the data; empty: the cluster's own, or else the repository's.
        settings: any other field of `shared.config.RetrainConfig`.
        approval: ask a person before the promotion (`./bakeoff approve`).
        approval_s: silence for so many seconds is a refusal.
    """
    places = {"data_repo": data_repo, "data_rev": data_rev, "data_remote": data_remote}
    fetched = task(components.fetch(month=month, dataset=dataset, **places), "1", "1Gi", "bakeoff-data", OBJECT_STORE)
    # The data version is among its inputs, or in its image: a hit is never stale.
    fetched.set_caching_options(True).set_retry(**RETRY)

    ingested = task(
        components.ingest(
            month=month,
            dataset=dataset,
            settings=settings,
            run=dsl.PIPELINE_JOB_ID_PLACEHOLDER,
            data=fetched.outputs["data"],
        ),
        *("1", "1Gi"),
    ).set_retry(**RETRY)

    validated = task(components.validate(data=fetched.outputs["data"], opened=ingested.outputs["opened"]), "1", "1Gi")
    candidates = validated.outputs["candidates"]
    answers = {"approval": approval, "approval_s": approval_s}

    with dsl.If(validated.outputs["complete"] == True, name="complete"):  # noqa: E712
        challenge(data=validated.outputs["validated"], candidates=candidates, **answers)

    with dsl.Else(name="incomplete"):
        imputed = task(components.impute(data=validated.outputs["validated"]), "1", "1Gi")
        challenge(data=imputed.outputs["imputed"], candidates=candidates, **answers)


def arguments(config: dict) -> dict:
    """A retraining's config (`RetrainConfig.json_dict`) as arguments of the pipeline."""
    own = {name: config[name] for name in retrain.component_spec.inputs if name in config}
    return {**own, "settings": {name: value for name, value in config.items() if name not in own}}


if __name__ == "__main__":
    compiler.Compiler().compile(retrain, sys.argv[1])
