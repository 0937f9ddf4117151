"""The picture of a replay: what was in use and how good it was, what the gate decided and why, when drift asked."""

from __future__ import annotations

import base64
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib as mpl
from jinja2 import Template
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.replay import RULES, Month, Replay, summary

_BLUE, _GREEN, _ORANGE, _RED, _GREY = "#1f5fa8", "#2a8f4f", "#d9822b", "#c23b3b", "#808080"
_STYLE: dict[str, dict[str, Any]] = {
    "champion_auc": {"color": _BLUE, "linewidth": 2.6, "zorder": 4},
    "every_auc": {"color": _BLUE, "linewidth": 1, "linestyle": ":", "zorder": 3},
    "last_month_auc": {"color": _RED, "linewidth": 1.4, "linestyle": "-."},
    "frozen_auc": {"color": _GREY, "linewidth": 1.4, "linestyle": "--"},
}


def draw(result: Replay, min_auc_gain: float) -> Figure:
    """Two panels over the months: AUC by rule, and each challenger's gain with its interval.

    Args:
        result: the replay.
        min_auc_gain: what the gate asks the lower end of the interval to exceed.
    """
    rows = [row for row in result.retrainings if row.status == "succeeded"]
    # A figure of its own, not pyplot's: nothing global is touched, and no screen is needed.
    figure = Figure(figsize=(9.5, 6.4), layout="constrained", dpi=110)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 2])
    promotions = sum(bool(row.promoted) for row in rows)
    figure.suptitle(
        f"{len(rows)} months arrive: {promotions} challengers are promoted, {len(rows) - promotions} rejected "
        f"({result.dataset}, run by {result.arm})",
        fontsize=12,
    )
    _aucs(above, rows, result.mean_auc)
    _gains(below, rows, min_auc_gain)
    for axes in (above, below):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color="#e5e5e5")
        axes.set_axisbelow(True)
    return figure


def _aucs(axes: Axes, rows: list[Month], means: dict[str, float]) -> None:
    at = range(len(rows))
    for rule, field in RULES.items():
        values = [getattr(row, field) for row in rows]
        mean = f", mean {means[rule]:.3f}" if rule in means else ""
        some = [float("nan") if value is None else value for value in values]
        axes.plot(at, some, label=f"in use: {rule}{mean}", **_STYLE[field])
    for promoted, colour, name in ((True, _GREEN, "promoted"), (False, _ORANGE, "rejected")):
        points = [(x, row.auc) for x, row in zip(at, rows, strict=True) if row.promoted is promoted and row.auc]
        if points:
            face = colour if promoted else "white"
            x, y = zip(*points, strict=True)
            axes.scatter(x, y, color=colour, facecolor=face, s=46, zorder=5, label=f"challenger, {name}")
    axes.set_ylabel("AUC on the month")
    axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.005, 1), frameon=False)


def _gains(axes: Axes, rows: list[Month], min_auc_gain: float) -> None:
    for x, row in enumerate(rows):
        if row.drift:
            axes.axvspan(x - 0.5, x + 0.5, color="#fbf0dc", zorder=0)
        if row.auc_gain is None or row.champion_auc is None:
            axes.text(x, min_auc_gain + 0.002, "first\nchampion", ha="center", va="bottom", fontsize=8, color=_GREEN)
            continue
        value, low, high = row.auc_gain
        colour = _GREEN if row.promoted else _ORANGE
        axes.errorbar(x, value, [[value - low], [high - value]], fmt="o", color=colour, capsize=3, markersize=5)
    axes.axhline(min_auc_gain, color="black", linewidth=0.9, linestyle="--")
    axes.set_ylabel("AUC gain over the\nchampion, with interval")
    axes.set_xticks(range(len(rows)), [row.month for row in rows], rotation=30, ha="right", fontsize=8)
    legend = [
        mpl.lines.Line2D([], [], color=_GREEN, marker="o", label="interval above the line:\npromoted"),
        mpl.lines.Line2D([], [], color=_ORANGE, marker="o", label="not surely above:\nrejected"),
        mpl.lines.Line2D([], [], color="black", linestyle="--", linewidth=0.9, label="what the gate asks"),
        mpl.patches.Patch(color="#fbf0dc", label="drift asked for a\nretraining"),
    ]
    axes.legend(handles=legend, fontsize=8, loc="upper left", bbox_to_anchor=(1.005, 1), frameon=False)


def png_of(result: Replay, min_auc_gain: float) -> bytes:
    """The picture as a PNG file; the same result gives the same bytes."""
    picture = BytesIO()
    draw(result, min_auc_gain).savefig(picture, format="png", metadata={"Software": None})
    return picture.getvalue()


def save(result: Replay, folder: Path, min_auc_gain: float) -> tuple[Path, Path]:
    """Write `replay.png`, and `replay.html` with the picture, the figures and the reasons in one file."""
    picture = png_of(result, min_auc_gain)
    png, html = folder / "replay.png", folder / "replay.html"
    png.write_bytes(picture)
    html.write_text(
        _PAGE.render(
            result=result,
            picture=base64.b64encode(picture).decode(),
            rules=RULES,
            lines=summary(result),
        )
    )
    return png, html


_PAGE = Template(
    """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Replay of {{ result.dataset }}</title>
<style>
 body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
 img { max-width: 100% } table { border-collapse: collapse; font-size: 13px } td, th { padding: .25rem .6rem }
 th { text-align: left; border-bottom: 2px solid #999 } tr + tr td { border-top: 1px solid #ddd }
 .promoted { color: #2a8f4f } .rejected { color: #b5651d } .failed { color: #c23b3b }
</style>
<h1>Replay: {{ result.retrainings[0].month }} to {{ result.retrainings[-1].month }}, run by {{ result.arm }}</h1>
{% for line in lines %}<p>{{ line }}</p>{% endfor %}
<img alt="AUC of each rule and the gate's verdicts, month by month" src="data:image/png;base64,{{ picture }}">
<table>
<tr><th>month<th>verdict<th>version<th>challenger{% for name in rules %}<th>{{ name }}{% endfor %}<th>why<th>drift</tr>
{% for row in result.retrainings %}
{% set verdict = "failed" if row.status == "failed" else "promoted" if row.promoted else "rejected" %}
<tr><td>{{ row.month }}<td class="{{ verdict }}">{{ verdict }}<td>{{ row.version or "" }}
<td>{{ "%.4f" % row.auc if row.auc else "" }}
{% for field in rules.values() %}<td>{{ "%.4f" % row[field] if row[field] else "" }}{% endfor %}
<td>{{ row.reason or row.error }}<td>{{ row.drift_reasons | join("; ") }}</tr>
{% endfor %}
</table>
<p>{{ result.environment.date }}, commit {{ result.environment.commit[:12] }}, {{ result.environment.cpus }} x
{{ result.environment.cpu }}, Python {{ result.environment.python }};
{% for name, version in result.versions.items() %}{{ name }} {{ version }}{{ ", " if not loop.last }}{% endfor %}.</p>
""",
    autoescape=True,
)
