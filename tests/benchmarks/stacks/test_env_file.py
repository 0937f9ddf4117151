from __future__ import annotations

import re
import stat
import string
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.stacks import env_file
from benchmarks.stacks.engine import StackError

EXAMPLE = """\
# The prefix
STACK=bakeoff
POSTGRES_PASSWORD=
AIRFLOW_PORT=8080
AIRFLOW_MLFLOW_PORT=5081
AIRFLOW_FERNET_KEY=
PREFECT_AUTH_STRING=
"""
GOOD = "a-random-secret-of-32-characters"


@pytest.fixture
def example(tmp_path):
    path = tmp_path / "example"
    path.write_text(EXAMPLE)
    return path


@pytest.fixture
def made(tmp_path, example):
    path = tmp_path / "below" / ".env"
    assert env_file.make(path, example)
    return path


def change(path, name, value):
    """Give one variable another value, or take its line away."""
    line = "" if value is None else f"{name}={value}\n"
    path.write_text(re.sub(rf"^{name}=.*\n", lambda _: line, path.read_text(), flags=re.M))


def test_a_new_file_is_whole_private_and_different_each_time(made, example, tmp_path):
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    values = env_file.read(made, example).values
    assert values["STACK"] == "bakeoff"
    assert values["PREFECT_AUTH_STRING"].startswith("admin:")
    assert env_file.make(tmp_path / "other", example)
    other = env_file.read(tmp_path / "other", example).values
    for name in env_file.secret_names(example):
        assert values[name] != other[name]
    assert not [path for path in made.parent.iterdir() if path != made]


def test_another_set_of_stacks_has_a_prefix_and_ports_of_its_own(tmp_path):
    made = env_file.make_another(tmp_path / ".env", "second", AIRFLOW_DAGS_BRANCH="staging")
    assert stat.S_IMODE(made.path.stat().st_mode) == 0o600
    assert (made.prefix, made.values["AIRFLOW_DAGS_BRANCH"]) == ("second", "staging")
    first = env_file.of_example()
    ports = [name for name in first.values if name.endswith("_PORT")]
    assert len({made.port(name) for name in ports} | {first.port(name) for name in ports}) == 2 * len(ports)


def test_the_real_example_makes_a_file_that_passes(tmp_path):
    assert env_file.make(tmp_path / ".env")
    read = env_file.read(tmp_path / ".env")
    assert {"POSTGRES_PASSWORD", "REDIS_PASSWORD", "AIRFLOW_JWT_SECRET"} <= set(env_file.secret_names())
    assert read.port("AIRFLOW_PORT") == 8080


def test_a_file_that_exists_is_never_touched(made, example):
    change(made, "AIRFLOW_PORT", None)
    before = made.read_bytes()
    assert not env_file.make(made, example)
    with pytest.raises(StackError, match="AIRFLOW_PORT is missing"):
        env_file.read(made, example)
    assert made.read_bytes() == before


def test_many_at_once_make_one_file(tmp_path, example):
    path, made, seen = tmp_path / ".env", [], []

    def run():
        made.append(env_file.make(path, example))
        seen.append(env_file.read(path, example).values)

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == [False] * 7 + [True]
    assert all(values == seen[0] for values in seen)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("AIRFLOW_PORT", None, r"AIRFLOW_PORT is missing .*add the line AIRFLOW_PORT=8080"),
        ("POSTGRES_PASSWORD", None, r"POSTGRES_PASSWORD is missing .*add a line POSTGRES_PASSWORD=\S{32}"),
        ("POSTGRES_PASSWORD", "", "POSTGRES_PASSWORD is empty"),
        ("STACK", "", "STACK is empty .*give it a value, bakeoff"),
        ("POSTGRES_PASSWORD", "short", "POSTGRES_PASSWORD is shorter than 16"),
        ("POSTGRES_PASSWORD", "change-me-please-now", "POSTGRES_PASSWORD is a placeholder"),
        ("POSTGRES_PASSWORD", "your_password_here_please", "is a placeholder"),
        ("POSTGRES_PASSWORD", "with@sign-and-more-letters", "characters other than"),
        ("POSTGRES_PASSWORD", "with$HOME-and-more-letters", "characters other than"),
        ("PREFECT_AUTH_STRING", GOOD, "not of the form user:password"),
        ("PREFECT_AUTH_STRING", "admin:admin", "placeholder|shorter than 16"),
        ("AIRFLOW_FERNET_KEY", GOOD, "base64 of 32 bytes"),
        ("AIRFLOW_PORT", "80a", "AIRFLOW_PORT=80a is not a port"),
        ("AIRFLOW_PORT", "80", "is not a port .*1024 to 65535"),
        ("AIRFLOW_PORT", "70000", "is not a port"),
        ("AIRFLOW_PORT", "5081", "are both 5081"),
        ("STACK", "Bake off", "cannot be the prefix"),
    ],
)
def test_what_cannot_be_used_is_told_with_its_variable(made, example, name, value, message):
    change(made, name, value)
    before = made.read_bytes()
    with pytest.raises(StackError, match=message) as caught:
        env_file.read(made, example)
    assert str(made) in str(caught.value)
    assert made.read_bytes() == before


def test_quotes_comments_and_own_variables_are_read_as_compose_does(made, example):
    change(made, "POSTGRES_PASSWORD", f'"{GOOD}"  # mine')
    made.write_text(made.read_text() + "\nMINE=1\n")
    values = env_file.read(made, example).values
    assert values["POSTGRES_PASSWORD"] == GOOD
    assert values["MINE"] == "1"


def test_a_file_that_cannot_be_read_or_made_is_told(made, example, tmp_path):
    with pytest.raises(StackError, match=r"there is no env file .*bakeoff up"):
        env_file.read(tmp_path / "none", example)
    made.write_bytes(b"STACK=\xff\n")
    with pytest.raises(StackError, match="not UTF-8"):
        env_file.read(made, example)
    with pytest.raises(StackError, match="cannot be written"):
        env_file.make(made / "file" / ".env", example)


SAFE = st.text(string.ascii_letters + string.digits + "._~=-", min_size=16, max_size=60)


@settings(max_examples=60, deadline=None)
@given(
    password=SAFE, user=st.text(string.ascii_lowercase, min_size=1), ports=st.sets(st.integers(1024, 65535), min_size=2)
)
def test_what_the_checks_accept_is_read_back_as_written(tmp_path_factory, password, user, ports):
    folder = tmp_path_factory.mktemp("round")
    (folder / "example").write_text(EXAMPLE)
    path = folder / ".env"
    env_file.make(path, folder / "example")
    first, second = sorted(ports)[:2]
    wanted = {
        "POSTGRES_PASSWORD": f"x9{password}",  # no placeholder begins so
        "PREFECT_AUTH_STRING": f"{user}:x9{password}",
        "AIRFLOW_PORT": str(first),
        "AIRFLOW_MLFLOW_PORT": str(second),
    }
    for name, value in wanted.items():
        change(path, name, value)
    values = env_file.read(path, folder / "example").values
    assert {name: values[name] for name in wanted} == wanted


def test_a_random_secret_that_reads_like_a_placeholder_is_drawn_again(tmp_path, monkeypatch):
    drawn = iter(["My_ZSjNOWTLoGPgXqQItKNl_AgNDBLnP", GOOD, *[GOOD] * 20])
    monkeypatch.setattr(env_file.secrets, "token_urlsafe", lambda _: next(drawn))
    env_file.make(tmp_path / ".env")
    assert env_file.read(tmp_path / ".env").values["POSTGRES_PASSWORD"] == GOOD
