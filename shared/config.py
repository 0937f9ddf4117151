"""Everything that can be set, in one validated object: the window, the candidates, the thresholds, the places."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator, model_validator

from shared import datasets
from shared.errors import ConfigError

ROOT = Path(__file__).resolve().parent.parent


class Record(BaseModel):
    """Base of all that passes between steps: frozen, checked, and plain JSON on the way."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def json_dict(self) -> dict[str, Any]:
        """The record as plain JSON types, as XCom and KFP parameters carry it; None is left out, which KFP refuses."""
        return self.model_dump(mode="json", exclude_none=True)


class _Candidate(Record):
    #: Which of the data set's features the model sees; none named: all of them.
    features: tuple[str, ...] = ()
    #: Tells it from other candidates of its kind.
    label: str | None = Field(None, pattern=r"^[A-Za-z0-9_.-]{1,60}$")

    @property
    def title(self) -> str:
        """What it is called in every tool: its label, or else its kind."""
        kind: str = self.name  # type: ignore[attr-defined]  # each kind says which it is
        return self.label or kind


class LogisticRegression(_Candidate):
    """One-hot labels, binned and scaled numbers, missing ones imputed."""

    name: Literal["logistic_regression"] = "logistic_regression"
    C: float = Field(1.0, gt=0)


class HistGradientBoosting(_Candidate):
    """Boosted trees on binned features; takes categories and missing values as they are."""

    name: Literal["hist_gradient_boosting"] = "hist_gradient_boosting"
    max_iter: int = Field(100, ge=1)
    learning_rate: float = Field(0.1, gt=0)
    max_leaf_nodes: int = Field(31, ge=2)


class RandomForest(_Candidate):
    """Scores like the boosted trees for three to eight times the CPU; on request only."""

    name: Literal["random_forest"] = "random_forest"
    n_estimators: int = Field(100, ge=1)
    min_samples_leaf: int = Field(20, ge=1)


Candidate = Annotated[LogisticRegression | HistGradientBoosting | RandomForest, Field(discriminator="name")]


class SearchSpace(Record):
    """Candidates of one kind, drawn from every combination of some values: how many is known at run time only."""

    name: Literal["logistic_regression", "hist_gradient_boosting", "random_forest"]
    #: Setting -> the values that it may take.
    values: dict[str, tuple[float | int, ...]]
    draws: int = Field(10, ge=1, le=50)

    def draw(self, seed: int) -> tuple[Candidate, ...]:
        """Different combinations, the same ones for the same seed; all of them where there are fewer than `draws`."""
        from sklearn.model_selection import ParameterGrid, ParameterSampler

        most = len(ParameterGrid(self.values))
        drawn = ParameterSampler(self.values, min(self.draws, most), random_state=seed)
        each = [{"name": self.name, "label": f"{self.name}-{n:02}", **settings} for n, settings in enumerate(drawn, 1)]
        try:
            return TypeAdapter(tuple[Candidate, ...]).validate_python(each)
        except ValidationError as error:
            raise config_error(error, "search.values") from None


class GateConfig(Record):
    """When a challenger may replace the champion (`shared.gate`)."""

    min_auc_gain: float = 0.002
    confidence: float = Field(0.95, gt=0.5, lt=1)
    replicates: int = Field(2000, ge=100)


class ContractConfig(Record):
    """What a window of data may look like, beyond the data set's own contract (`shared.validate`)."""

    #: Least and most rows of a window; None: the data set's own bounds.
    min_rows: int | None = None
    max_rows: int | None = None
    #: Share of a window's rows that may be set aside for an impossible reading; None: the data set's own.
    max_quarantined: float | None = None
    #: A feature may miss so much more of its values than it did in the training windows before it is told.
    null_jump: float = 0.02
    #: A number of which the month that has arrived misses this share of its values is filled in, by the step `impute`.
    impute_above: float = Field(0.9, gt=0, le=1)

    def rows(self, dataset: datasets.Dataset) -> tuple[int, int]:
        """Least and most rows of a window."""
        least, most = dataset.rows
        return least if self.min_rows is None else self.min_rows, most if self.max_rows is None else self.max_rows

    def quarantine(self, dataset: datasets.Dataset) -> float:
        """Share of a window's rows that may be set aside."""
        return dataset.max_quarantined if self.max_quarantined is None else self.max_quarantined


class DriftConfig(Record):
    """When new data ask for a retraining, or for a look (`shared.drift`)."""

    #: |share of positives - mean prediction of the champion| above this asks for a retraining.
    rate_gap: float = 0.05
    #: PSI of the champion's scores above this asks for a retraining.
    score_psi: float = 0.1
    #: PSI of a feature above this is a warning; for a restless feature it is only noted.
    feature_psi: float = 0.1
    #: Share of rows with a category that the champion was never trained on; above this, a retraining is asked for.
    novel_share: float = 0.05


class StoreConfig(Record):
    """A model, and the MLflow store that remembers it: what it takes to ask the registry a question."""

    #: The data set, a folder of `shared/datasets`.
    dataset: str = datasets.DEFAULT
    #: Name of the registered model and of the MLflow experiment; by default the data set's.
    model_name: str = Field(default_factory=lambda data: datasets.get(data["dataset"]).model_name)
    #: The folder of everything that is written and not told to go elsewhere.
    state: Path = Field(
        default_factory=lambda: Path(os.environ.get("BAKEOFF_STATE", ROOT / ".bakeoff" / "state")).absolute()
    )
    #: MLflow's address: `sqlite:///...` or `http://...`; by default a SQLite store in `state`.
    tracking_uri: str = Field(
        default_factory=lambda data: os.environ.get("BAKEOFF_TRACKING_URI", f"sqlite:///{data['state']}/mlflow.db")
    )
    #: Where a database-backed store keeps artifacts; a tracking server decides that itself.
    artifact_location: str | None = Field(
        default_factory=lambda data: (
            None if data["tracking_uri"].startswith("http") else f"file://{data['state']}/artifacts"
        )
    )

    @field_validator("dataset")
    @classmethod
    def _exists(cls, dataset: str) -> str:
        return datasets.get(dataset).name

    @field_validator("state")
    @classmethod
    def _absolute(cls, state: Path) -> Path:
        return state.absolute()  # the steps of one run need not share a current folder

    @property
    def spec(self) -> datasets.Dataset:
        """The description of the data set."""
        return datasets.get(self.dataset)


class RetrainConfig(StoreConfig):
    """One retraining. The defaults are the whole documented behaviour; adapters add nothing to it."""

    #: The month (or whatever the data set's windows are) that has just arrived: the challenger trains on all before it
    #: and is scored on it.
    month: str
    candidates: tuple[Candidate, ...] = (LogisticRegression(), HistGradientBoosting())
    #: Further candidates, drawn with `seed`.
    search: SearchSpace | None = None
    #: Go on with the candidates there are when one cannot be trained; else the retraining fails.
    tolerate_failed: bool = False
    seed: int = 0
    gate: GateConfig = GateConfig()
    contract: ContractConfig = ContractConfig()
    drift: DriftConfig = DriftConfig()

    #: Repository that holds the data, as DVC knows it, and the revision to read (None: the work tree).
    data_repo: str = Field(default_factory=lambda: os.environ.get("BAKEOFF_DATA_REPO", str(ROOT)))
    data_rev: str | None = None
    #: A DVC remote to fetch from instead of that repository's own, such as `s3://bucket/prefix`.
    data_remote: str | None = Field(default_factory=lambda: os.environ.get("BAKEOFF_DATA_REMOTE"))
    #: A file to which every step appends what it does, one JSON object a line; None: nobody listens.
    events: Path | None = None
    #: Chosen by whoever asks for the retraining, to find its outcome again.
    request_id: str = ""

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        titles = [candidate.title for candidate in self.all_candidates]
        if not titles or len(set(titles)) < len(titles):
            raise ConfigError(
                f"candidates must be distinct and at least one (found: {titles})",
                where="candidates",
                fix="name each kind of model once, or give those of one kind a label each",
            )
        return self

    @model_validator(mode="after")
    def _has_windows_before(self) -> Self:
        windows, kind = self.spec.windows, self.spec.window_is
        fix = f"choose from {windows[1]} to {windows[-1]}"
        if self.month not in windows:
            raise ConfigError(f"there is no {kind} {self.month}", where="month", fix=fix)
        if not self.train_months:
            raise ConfigError(f"{self.month} is the first {kind}: no earlier one to train on", where="month", fix=fix)
        return self

    @model_validator(mode="after")
    def _only_what_is_known_in_time(self) -> Self:
        for candidate in self.all_candidates:
            fix = f"choose from {', '.join(self.spec.features)}"
            if leaky := sorted(set(candidate.features) & set(self.spec.leaky)):
                raise ConfigError(
                    f"{', '.join(leaky)} would leak the answer: it is known only once the answer is",
                    where="candidates[].features",
                    fix=fix,
                )
            if unknown := sorted(set(candidate.features) - set(self.spec.features)):
                raise ConfigError(f"there is no feature {', '.join(unknown)}", where="candidates[].features", fix=fix)
        return self

    @cached_property
    def all_candidates(self) -> tuple[Candidate, ...]:
        """What is trained: those that are named, then those that are drawn."""
        return self.candidates + (self.search.draw(self.seed) if self.search else ())

    def features(self, candidate: Candidate) -> tuple[str, ...]:
        """What a candidate sees."""
        return candidate.features or self.spec.features

    @property
    def work_dir(self) -> Path:
        """Where the files of each run go."""
        return self.state / "work"

    @property
    def train_months(self) -> list[str]:
        """All months before the one that has just arrived, oldest first: never the holdout itself."""
        return self.spec.before(self.month)

    @property
    def gate_confidence(self) -> float:
        """The confidence of the gate's intervals, corrected (Bonferroni) for choosing the best of several candidates.

        The best candidate is chosen on the holdout on which it then meets the champion, so with k candidates the
        error that each comparison may make is divided by k; one that could not be trained counts too.
        """
        return 1 - (1 - self.gate.confidence) / len(self.all_candidates)


def parse_config(request: dict[str, Any]) -> RetrainConfig:
    """Check a request from outside.

    Raises:
        ConfigError: naming every field at fault.
    """
    try:
        return RetrainConfig.model_validate(request)
    except ValidationError as error:
        raise config_error(error) from None


def config_error(error: ValidationError, where: str = "") -> ConfigError:
    """Say in one line what pydantic says in many."""
    faults = [f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}" for fault in error.errors()]
    return ConfigError(
        "; ".join(faults), where=where or error.title, fix="correct the named fields (see shared/config.py)"
    )
