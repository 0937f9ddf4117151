"""Monthly retraining as a Kubeflow pipeline.

python -m kubeflow_impl.pipeline retrain.yaml    # compile to IR YAML, to upload to a Kubeflow Pipelines server
"""

import sys

from kfp import compiler, dsl

from kubeflow_impl import components

# KFP cannot tell bad data from a server that is down: whatever fails here is tried again.
RETRY = {"num_retries": 2, "backoff_duration": "2s"}


@dsl.pipeline(name="retrain", description="Train on all months before the chosen one; promote if the gate passes.")
def retrain(month: str = "2013-05", settings: dict = {}):  # noqa: B006 - KFP reads the default, nothing changes it
    """Retrain once.

    Args:
        month: the month that has just arrived.
        settings: any other field of `shared.config.RetrainConfig`.
    """
    # No step is cached: ingest looks at the world outside, and the others write to MLflow, which a hit would skip.
    ingested = components.ingest(month=month, settings=settings, run=dsl.PIPELINE_JOB_ID_PLACEHOLDER)
    ingested.set_caching_options(False).set_retry(**RETRY)

    validated = components.validate(data=ingested.outputs["data"]).set_caching_options(False)
    data = validated.outputs["validated"]

    with dsl.ParallelFor(validated.outputs["Output"], name="each-candidate") as candidate:
        trained = components.train(candidate=candidate, data=data).set_caching_options(False).set_retry(**RETRY)

    selected = components.select(trained=dsl.Collected(trained.outputs["Output"])).set_caching_options(False)
    judged = components.evaluate(challenger=selected.output, data=data).set_caching_options(False).set_retry(**RETRY)

    with dsl.If(judged.outputs["Output"] == True, name="gate-passed"):  # noqa: E712 - compiled, not evaluated
        registered = components.register(verdict=judged.outputs["verdict"], data=data)
        registered.set_caching_options(False).set_retry(**RETRY)


if __name__ == "__main__":
    compiler.Compiler().compile(retrain, sys.argv[1])
