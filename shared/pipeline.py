"""The retraining as one plain Python process: the baseline arm, and the shortest explanation of the pipeline."""

from __future__ import annotations

from shared import steps
from shared.config import RetrainConfig
from shared.records import Verdict
from shared.serve import serve


def retrain(config: RetrainConfig, run_id: str) -> Verdict:
    """Retrain once.

    Args:
        config: what to retrain.
        run_id: any name that is equal in every retry of this retraining.

    Raises:
        BakeoffError: with the cause and what to do; the champion is then as it was.
    """
    window = steps.validate(steps.ingest(config, "plain", run_id))
    if window.report and window.report.impute:
        window = steps.impute(window)
    trained = [steps.train_or_skip(window, candidate) for candidate in window.candidates]
    verdict = steps.evaluate(window, steps.select(window, [each for each in trained if each]))
    if verdict.promote:
        steps.register(window, verdict)
    return verdict


if __name__ == "__main__":
    serve(lambda config: retrain(config, run_id=config.request_id))
