"""What passes between steps: small frozen records of paths, ids and numbers. Data travel as files, models by MLflow."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from shared.config import Candidate, Record, RetrainConfig


class Histogram(Record):
    """How often the values of a number fall between `edges`; two more counts than edges, the last of missing values."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]


class Reference(Record):
    """What a model was trained on, in counts small enough to be stored with it (`shared.drift`)."""

    numbers: dict[str, Histogram]  # of a sample where there are many rows
    labels: dict[str, dict[str, int]]  # feature -> value -> rows
    #: The model's scores of the holdout that it was judged on: scores of the training rows would flatter it.
    scores: Histogram | None = None


class Drift(Record):
    """How far a month has moved away from the champion's training reference, and whether that asks for a retraining."""

    month: str
    champion_version: int
    psi: dict[str, float]  # feature -> PSI
    novel: dict[str, tuple[str, ...]]  # feature -> values that were never trained on
    novel_share: float  # of the rows
    score_psi: float
    positive_rate: float  # what happened
    mean_score: float  # what the champion predicted
    retrain: bool
    reasons: tuple[str, ...]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]


class Report(Record):
    """What validation saw in the window."""

    rows: dict[str, int]  # month -> rows kept
    quarantined: dict[str, int]  # month -> rows set aside
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    psi: dict[str, float]  # feature -> PSI of the holdout against the training months
    #: Numbers that the month hardly has (`ContractConfig.impute_above`): the step `impute` has to fill them in.
    impute: tuple[str, ...] = ()


class Fetched(Record):
    """The files of a window, as an orchestrator that caches its own steps may keep and reuse them."""

    #: DVC's checksum of the whole data set, and of each month that is used.
    data_version: str
    files: dict[str, str]
    #: Of the code (`shared.data.fetch_window`).
    revision: str
    #: Folder with one parquet file a month.
    data: Path


class Window(Record):
    """One retraining's data and identity: every later step starts from it."""

    config: RetrainConfig
    #: MLflow's id of the parent run of this retraining.
    run_id: str
    #: DVC's checksum of the whole data set, and of each month that is used.
    data_version: str
    files: dict[str, str]
    #: Folder with one parquet file a month.
    data: Path
    report: Report | None = None
    #: Where a browser finds that MLflow run; None when no server shows it.
    run_url: str | None = None

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """What to train: the width of the fan-out."""
        return self.config.all_candidates

    def paths(self, months: list[str]) -> list[Path]:
        """The files of some months."""
        return [self.data / f"{month}.parquet" for month in months]


class Trained(Record):
    """One fitted candidate, scored on the holdout."""

    candidate: str
    run_id: str
    model_uri: str
    #: Digest of the fitted model: equal data, config and seed give an equal digest on every arm.
    model_digest: str
    auc: float
    log_loss: float
    #: Share of positives in the training months: the score of a model that knows nothing.
    base_rate: float


class Verdict(Record):
    """What the gate decided, and on which evidence."""

    promote: bool
    reason: str
    challenger: Trained
    champion_version: int | None = None
    champion_auc: float
    champion_log_loss: float
    auc_gain: tuple[float, float, float] = Field(description="point estimate, lower and upper bound")
    log_loss_gain: tuple[float, float, float] = Field(description="point estimate, lower and upper bound")
    confidence: float
    warnings: tuple[str, ...] = ()
    #: Of the holdout against what the champion was trained on; None without a champion or its reference.
    drift: Drift | None = None


class Outcome(Record):
    """The end of a retraining, the same for every orchestrator."""

    model_name: str
    month: str
    run_id: str
    orchestrator: str
    data_version: str
    candidate: str
    auc: float
    log_loss: float
    promoted: bool
    reason: str
    version: int | None = None
    model_digest: str
