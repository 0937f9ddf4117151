from __future__ import annotations

import pandas as pd
import pytest

from shared import registry, serving
from shared.datasets.flights import DATASET as FLIGHTS
from shared.errors import DataError, RegistryError
from shared.pipeline import retrain


@pytest.fixture
def config(make_config):
    """The store of a model whose champion was promoted on March."""
    retrain(make_config("2013-03"), "run-1")
    return make_config("2013-04")


@pytest.fixture
def rows(months):
    return months("2013-04").head(50)


def write(rows: pd.DataFrame, path):
    rows.to_csv(path, index=False) if path.suffix == ".csv" else rows.to_parquet(path)
    return path


def test_csv_and_parquet_give_the_champions_own_scores(config, rows, tmp_path):
    model, features = registry.load_model(config, 1)
    expected = model.predict_proba(rows[list(features)])[:, 1]
    for suffix in (".csv", ".parquet"):
        scores, version = serving.predict(config, serving.read_rows(write(rows, tmp_path / f"rows{suffix}"), FLIGHTS))
        assert version == 1
        assert scores == pytest.approx(expected, abs=1e-6)


def test_columns_may_come_in_any_order_and_numbers_may_be_missing(config, rows):
    plain, _ = serving.predict(config, rows)
    turned, _ = serving.predict(config, rows[rows.columns[::-1]])
    assert (plain == turned).all()
    holes, _ = serving.predict(config, rows.assign(temp=None, dest="XYZ"))
    assert ((holes > 0) & (holes < 1)).all()


@pytest.mark.parametrize(
    ("spoilt", "message"),
    [
        (lambda rows: rows.drop(columns=["temp", "dest"]), "column dest, temp is missing"),
        (lambda rows: rows.assign(temp=["warm", *["3"] * 49]), "column temp holds 'warm' in row 0, which is no number"),
        (lambda rows: rows.assign(carrier=7), "column carrier holds 7, which is no label"),
        (lambda rows: rows.assign(origin=None), "column origin is empty in 50 rows"),
        (lambda rows: rows.assign(carrier=b"AA"), "column carrier holds b'AA', which is no label"),
        (lambda rows: rows.assign(temp=[float("inf"), *[3.0] * 49]), "column temp holds inf in row 0"),
        (
            lambda rows: rows.assign(dep_min=rows["sched_dep_utc"]),
            r"column dep_min holds datetime64\[ms\], not numbers",
        ),
        (lambda rows: pd.concat([rows, rows[["temp"]]], axis=1), "column temp is there more than once"),
    ],
)
def test_wrong_columns_and_types_are_told(config, rows, spoilt, message):
    with pytest.raises(DataError, match=message) as caught:
        serving.predict(config, spoilt(rows))
    assert "give it the columns carrier, origin" in str(caught.value)


def test_every_fault_is_told_at_once():
    rows = pd.DataFrame({"carrier": [1.0], "temp": ["warm"]})
    with pytest.raises(
        DataError, match=r"dest is missing; column carrier holds 1.0, which is no label; column temp holds 'warm'"
    ):
        serving.conform(FLIGHTS, rows, ["carrier", "dest", "temp"])


def test_labels_that_look_like_numbers_or_nothing_stay_labels(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("carrier,temp\n007,1\nNA,NA\n")
    rows = serving.conform(FLIGHTS, serving.read_rows(path, FLIGHTS), ["carrier", "temp"])
    assert rows["carrier"].tolist() == ["007", "NA"]
    assert rows["temp"].isna().tolist() == [False, True]
    path.write_text("carrier,temp\n ,1\n")
    with pytest.raises(DataError, match="column carrier is empty in 1 rows"):
        serving.conform(FLIGHTS, serving.read_rows(path, FLIGHTS), ["carrier", "temp"])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("rows.txt", "a,b\n1,2\n", "neither a CSV nor a parquet file"),
        ("rows.csv", "", "cannot be read"),
        ("rows.csv", "a,b\n", "has no rows"),
        ("rows.parquet", "not parquet", "cannot be read"),
    ],
)
def test_a_file_that_is_none_is_told(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(DataError, match=message):
        serving.read_rows(path, FLIGHTS)
    with pytest.raises(DataError, match="cannot be read"):
        serving.read_rows(tmp_path / "nothing.csv", FLIGHTS)


def test_an_alias_that_nobody_has_is_told(make_config, rows):
    with pytest.raises(RegistryError, match="no version of late-flights has the alias champion"):
        serving.predict(make_config(), rows)
