"""Everything that can be set, in one validated object: the month, the candidates, the thresholds, the places."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from shared import flights
from shared.errors import ConfigError

ROOT = Path(__file__).resolve().parent.parent


class Record(BaseModel):
    """Base of all that passes between steps: frozen, checked, and plain JSON on the way."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def json_dict(self) -> dict[str, Any]:
        """The record as plain JSON types, as XCom and KFP parameters carry it; None is left out, which KFP refuses."""
        return self.model_dump(mode="json", exclude_none=True)


class _Candidate(Record):
    features: tuple[str, ...] = flights.FEATURES

    @field_validator("features")
    @classmethod
    def _only_what_is_known_before_departure(cls, features: tuple[str, ...]) -> tuple[str, ...]:
        if leaky := sorted(set(features) & set(flights.LEAKY)):
            raise ConfigError(
                f"{', '.join(leaky)} would leak the answer: it is known only after departure",
                where="candidates[].features",
                fix=f"choose from {', '.join(flights.FEATURES)}",
            )
        if unknown := sorted(set(features) - set(flights.FEATURES)):
            raise ConfigError(
                f"there is no feature {', '.join(unknown)}",
                where="candidates[].features",
                fix=f"choose from {', '.join(flights.FEATURES)}",
            )
        return features


class LogisticRegression(_Candidate):
    """One-hot categories, binned departure time, imputed and scaled weather."""

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


class GateConfig(Record):
    """When a challenger may replace the champion (`shared.gate`)."""

    min_auc_gain: float = 0.002
    confidence: float = Field(0.95, gt=0.5, lt=1)
    replicates: int = Field(2000, ge=100)


class ContractConfig(Record):
    """What a month of data may look like (`shared.schema`, `shared.validate`)."""

    min_rows: int = 20_000
    max_rows: int = 60_000
    #: Share of a month's rows that may be set aside for an impossible reading before the month is refused.
    max_quarantined: float = 0.001
    #: A feature may miss so much more of its values than it did in the training months before it is told.
    null_jump: float = 0.02
    #: A PSI above this on a schedule feature is told as a warning; on weather it is only noted.
    psi_warning: float = 0.1


class RetrainConfig(Record):
    """One retraining. The defaults are the whole documented behaviour; adapters add nothing to it."""

    #: The month that has just arrived: the challenger trains on all months before it and is scored on it.
    month: str = Field(pattern=r"^\d{4}-\d{2}$")
    candidates: tuple[Candidate, ...] = (LogisticRegression(), HistGradientBoosting())
    seed: int = 0
    gate: GateConfig = GateConfig()
    contract: ContractConfig = ContractConfig()

    model_name: str = "late-flights"
    #: The folder of everything this retraining writes that is not told to go elsewhere.
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
    #: Repository that holds the data, as DVC knows it, and the revision to read (None: the work tree).
    data_repo: str = str(ROOT)
    data_rev: str | None = None
    #: A file to which every step appends what it does, one JSON object a line; None: nobody listens.
    events: Path | None = None
    #: Chosen by whoever asks for the retraining, to find its outcome again.
    request_id: str = ""

    @field_validator("state")
    @classmethod
    def _absolute(cls, state: Path) -> Path:
        return state.absolute()  # the steps of one run need not share a current folder

    @field_validator("candidates")
    @classmethod
    def _distinct(cls, candidates: tuple[Candidate, ...]) -> tuple[Candidate, ...]:
        names = [candidate.name for candidate in candidates]
        if not names or len(set(names)) < len(names):
            raise ConfigError(
                f"candidates must be distinct and at least one (found: {names})",
                where="candidates",
                fix="name each kind of model once",
            )
        return candidates

    @model_validator(mode="after")
    def _has_months_before(self) -> Self:
        if self.month not in flights.months():
            raise ConfigError(
                f"there is no month {self.month}",
                where="month",
                fix=f"choose from {flights.months()[1]} to {flights.months()[-1]}",
            )
        if not self.train_months:
            raise ConfigError(
                f"{self.month} is the first month: no earlier one to train on",
                where="month",
                fix=f"choose from {flights.months()[1]} to {flights.months()[-1]}",
            )
        return self

    @property
    def work_dir(self) -> Path:
        """Where the files of each run go."""
        return self.state / "work"

    @property
    def train_months(self) -> list[str]:
        """All months before the one that has just arrived, oldest first: never the holdout itself."""
        return [month for month in flights.months() if month < self.month]

    @property
    def gate_confidence(self) -> float:
        """The confidence of the gate's intervals, corrected (Bonferroni) for choosing the best of several candidates.

        The best candidate is chosen on the holdout on which it then meets the champion, so with k candidates the
        error that each comparison may make is divided by k.
        """
        return 1 - (1 - self.gate.confidence) / len(self.candidates)


def parse_config(request: dict[str, Any]) -> RetrainConfig:
    """Check a request from outside.

    Raises:
        ConfigError: naming every field at fault.
    """
    try:
        return RetrainConfig.model_validate(request)
    except ValidationError as error:
        raise config_error(error) from None


def config_error(error: ValidationError) -> ConfigError:
    """Say in one line what pydantic says in many."""
    faults = [f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}" for fault in error.errors()]
    return ConfigError("; ".join(faults), where=error.title, fix="correct the named fields (see shared/config.py)")
