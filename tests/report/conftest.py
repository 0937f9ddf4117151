"""The report as a browser shows it. Runs in the environment `report`, which has the browser's driver and no more."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from benchmarks.screenshots.browser import FLAGS, browser
from shared.errors import StorageError

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="session")
def chromium():
    """The machine's own browser, opened."""
    try:
        found = browser()
    except StorageError as error:
        pytest.exit(str(error), returncode=1)
    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=found, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """The page of a full run of all measures, made up; below it the result files."""
    folder = tmp_path_factory.mktemp("made")
    core = ROOT / ".venvs" / "core" / "bin" / "python"
    subprocess.run([core, "-m", "tests.benchmarks.report.made", folder], check=True, cwd=ROOT)
    return folder / "report.html"


@pytest.fixture(scope="session")
def committed(tmp_path_factory):
    """The page of the results in the repository."""
    page = tmp_path_factory.mktemp("committed") / "report.html"
    command = [ROOT / "bakeoff", "report", "--results", ROOT / "benchmarks" / "results", "--to", page]
    subprocess.run(command, check=True, capture_output=True)
    return page


@pytest.fixture(params=["made", "committed"])
def page_file(request):
    """Either page."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def show(chromium):
    """Open a page, in a window of some width, folded as it comes or unfolded."""
    contexts = []

    def opened(file, width=1280, scheme="light", unfold=False):
        context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.told, page.asked = [], []
        page.on("console", lambda message: page.told.append(message.text))
        page.on("pageerror", lambda error: page.told.append(str(error)))
        page.on("request", lambda request: page.asked.append(request.url))
        page.goto(file.as_uri())
        if unfold:
            page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        return page

    yield opened
    for context in contexts:
        context.close()
