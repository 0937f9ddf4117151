"""Links between a retraining's page in its orchestrator and its page in MLflow, and what the latter says at its top."""

from __future__ import annotations

import os
from collections.abc import Mapping
from urllib.parse import urlsplit

from shared.config import StoreConfig
from shared.records import Verdict, Window

#: Where a person's browser finds MLflow, if not at the address that the steps use (a container's own network).
UI = "BAKEOFF_MLFLOW_UI"
#: MLflow's tag for the markdown that its run page shows as the description.
DESCRIPTION = "mlflow.note.content"
ORCHESTRATOR_URL = "bakeoff.orchestrator_url"


def run_page(config: StoreConfig, experiment_id: str, run_id: str) -> str | None:
    """The address of an MLflow run for a browser; None when no server shows it (a SQLite store has no pages)."""
    base = os.environ.get(UI) or config.tracking_uri
    if not is_web(base):
        return None
    return f"{base.rstrip('/')}/#/experiments/{experiment_id}/runs/{run_id}"


def is_web(address: str | None) -> bool:
    """Is this an address that a browser can open?"""
    parts = urlsplit(address or "")
    return parts.scheme in ("http", "https") and bool(parts.netloc)


def to_mlflow(window: Window) -> str:
    """A line of markdown that names the MLflow run, as a link where a server shows it."""
    if window.run_url:
        return f"MLflow run [{window.run_id}]({window.run_url})"
    return f"MLflow run `{window.run_id}` in `{window.config.tracking_uri}`"


def description(tags: Mapping[str, str], verdict: Verdict | None = None) -> str:
    """What the run page says in markdown: what this is, a link back to the orchestrator, and the verdict once reached.

    Args:
        tags: of the parent run.
        verdict: None as long as there is none.
    """
    tool, address = tags["bakeoff.orchestrator"], tags.get(ORCHESTRATOR_URL)
    by = f"[{tool} run {tags['bakeoff.orchestrator_run']}]({address})" if address else f"{tool}"
    parts = [f"Retraining on the arrival of **{tags['bakeoff.month']}**, run by {by}."]
    if verdict:
        parts.append(verdict_table(verdict))
    if version := tags.get("bakeoff.data_version"):  # last: MLflow shows the first few lines until it is asked for more
        parts.append(f"Trained on {tags['bakeoff.window']}, data version `{version}`.")
    return "\n\n".join(parts)


def verdict_table(verdict: Verdict) -> str:
    """The verdict in markdown: the decision, its reason, and challenger beside champion in figures."""
    best, number = verdict.challenger, verdict.champion_version
    rival = "no champion yet (base rate)" if number is None else f"champion (version {number})"
    gap = "\u2003"  # MLflow sets its columns close together; Prefect would show the entity &emsp; as it is written
    warnings = "\n\n" + "\n".join(f"- {line}" for line in verdict.warnings) if verdict.warnings else ""
    return (
        f"### {'Promote' if verdict.promote else 'Reject'} {best.candidate}\n\n{verdict.reason}\n\n"
        f"| on the holdout | {gap}challenger | {gap}{rival} |\n|---|---:|---:|\n"
        f"| AUC | {best.auc:.4f} | {verdict.champion_auc:.4f} |\n"
        f"| log loss | {best.log_loss:.4f} | {verdict.champion_log_loss:.4f} |"
        f"{warnings}"
    )
