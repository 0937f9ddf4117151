from __future__ import annotations

import pytest

from benchmarks.screenshots import browser, places
from shared.errors import StorageError


def test_a_machine_without_a_browser_is_told_how_to_get_one(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(browser, "MAC", (tmp_path / "Google Chrome",))
    with pytest.raises(StorageError, match="apt-get install chromium"):
        browser.browser()
    there = tmp_path / "chromium-browser"
    there.touch(mode=0o755)
    assert browser.browser() == there


def test_a_stack_that_is_not_up_is_told():
    with pytest.raises(places.ScreenshotError, match=r"bakeoff up"):
        places.Airflow.login("http://127.0.0.1:9", "x")


def test_what_prefects_ui_keeps_after_a_login():
    assert places.Prefect("http://127.0.0.1:4200", "admin:secret").encoded == "YWRtaW46c2VjcmV0"
