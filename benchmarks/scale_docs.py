"""What docs/method.md shows of `bakeoff bench scale`, from its result files."""

from __future__ import annotations

from statistics import median

from benchmarks import scale
from benchmarks.places import RESULTS
from benchmarks.scale import Sample, ScaleResult
from benchmarks.scale_sample import Kind

_MIB = 2**20


def read(name: str) -> ScaleResult:
    """A result file: `scale`, or `scale-before`, measured before the core was optimised."""
    return ScaleResult.model_validate_json((RESULTS / f"{name}.json").read_text())


def table(result: ScaleResult) -> str:
    """Every size in one row."""
    rows = [
        "| rows | n | read s | validation s | bare s | core s | core / bare | the same in CPU time | validation / read "
        "| most memory MiB | in frames: core | bare |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    samples = result.samples
    for size in result.sizes:
        core = [each.measured for each in scale.of(samples, size, "core") if each.measured]
        peak = median(each.peak_bytes - each.floor_bytes for each in core) / _MIB if core else None
        cells = [
            f"{size:,}",
            str(len(core)),
            *(_cell(_median(scale.seconds(samples, size, "read")), 2),),
            _cell(_median(scale.validation_seconds(samples, size)), 2),
            *(_cell(_median(scale.seconds(samples, size, kind)), 1) for kind in ("bare", "core")),
            _cell(scale.over_bare(samples, size), 2),
            _cell(_cpu_ratio(samples, size), 2),
            _cell(scale.over_read(samples, size), 2),
            _cell(peak, 0),
            _cell(scale.over_frame(samples, size), 1),
            _cell(scale.over_frame(samples, size, "bare"), 1),
        ]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def unmet(result: ScaleResult) -> str:
    """The targets that are missed, and by how much; and how many are met."""
    missed = [each for each in result.targets if not each.met]
    lines = [f"{len(result.targets) - len(missed)} of {len(result.targets)} targets are met."]
    for name in dict.fromkeys(each.name for each in missed):
        each = [
            f"{one.value if one.value is not None else 'no figure'} at {one.rows / 1e6:g} M (limit {one.limit:g})"
            for one in missed
            if one.name == name
        ]
        lines.append(f"Not met: {name}: {', '.join(each)}.")
    failed = [f"{each.kind} at {each.rows:,} rows: {each.error}" for each in result.samples if each.error]
    return " ".join([*lines, *(f"Failed: {each}." for each in failed)])


def steps(before: ScaleResult, after: ScaleResult, rows: int) -> str:
    """Where the time and the memory of a retraining went, before and after it was optimised."""
    old, new = _steps(before.samples, rows), _steps(after.samples, rows)
    lines = [
        f"| step, {rows / 1e6:g} M rows | before: s | share | memory MiB | now: s | share | memory MiB |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    sums = [sum(seconds for seconds, _ in each.values()) for each in (old, new)]
    for name in old:
        cells = []
        for each, total in zip((old, new), sums, strict=True):
            seconds, memory = each.get(name, (0.0, 0.0))
            cells += [f"{seconds:.1f}", f"{seconds / total:.0%}" if total else "", f"{memory:,.0f}"]
        lines.append(f"| {name.replace('_', ' ')} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _steps(samples: list[Sample], rows: int) -> dict[str, tuple[float, float]]:
    """Seconds and MiB beyond the floor of each step, medians over the retrainings of one size."""
    found: dict[str, list[tuple[float, float]]] = {}
    for each in scale.of(samples, rows, "core"):
        for step in each.steps if each.measured else []:
            floor = each.measured.floor_bytes if each.measured else 0
            found.setdefault(step.name, []).append((step.seconds, max(0, step.peak_bytes - floor) / _MIB))
    return {name: (median(s for s, _ in all_), median(m for _, m in all_)) for name, all_ in found.items()}


def _cpu_ratio(samples: list[Sample], rows: int) -> float | None:
    def cpu(kind: Kind) -> dict[int, float]:
        return {each.number: each.measured.cpu_seconds for each in scale.of(samples, rows, kind) if each.measured}

    core, bare = cpu("core"), cpu("bare")
    both = core.keys() & bare.keys()
    return median(core[n] / bare[n] for n in both) if both else None


def _median(values: dict[int, float]) -> float | None:
    return median(values.values()) if values else None


def _cell(value: float | None, digits: int) -> str:
    return "failed" if value is None else f"{value:,.{digits}f}"
