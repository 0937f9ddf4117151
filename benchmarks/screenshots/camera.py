"""Takes the pictures. Runs in the environment `screenshots`, as its own process: sessions as JSON in, PNG files out.

python -m benchmarks.screenshots.camera BROWSER FOLDER < sessions.json
"""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from playwright.sync_api import Error as BrowserError

from benchmarks.screenshots.browser import FLAGS

SEEN = {"width": 1600, "height": 1000}  # the tools lay their pages out for a large screen
KEPT = (1280, 800)
PATIENCE_MS = 30_000
SETTLE_MS = 1_500  # for what moves: a graph that lays itself out, a panel that slides in


def take(sessions: list[dict[str, Any]], browser: Path, folder: Path) -> list[str]:
    """Take every picture.

    Returns:
        What went wrong, one line a picture that could not be taken.
    """
    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=browser, args=FLAGS)
        try:
            return [line for session in sessions for line in _session(opened, session, folder)]
        finally:
            opened.close()


def _session(browser: Browser, session: dict[str, Any], folder: Path) -> list[str]:
    login = session["http_login"]
    asked: dict[str, Any] = {"http_credentials": {"username": login[0], "password": login[1]}} if login else {}
    context = browser.new_context(viewport=SEEN, color_scheme="light", locale="en-GB", timezone_id="UTC", **asked)
    context.set_default_timeout(PATIENCE_MS)
    origins = {"{0.scheme}://{0.netloc}".format(urlsplit(shot["url"])) for shot in session["shots"]}
    for name, value in session["cookies"].items():
        context.add_cookies([{"name": name, "value": value, "url": origin} for origin in origins])
    stored = "".join(f"localStorage.setItem({json.dumps(k)}, {json.dumps(v)});" for k, v in session["storage"].items())
    context.add_init_script(f"try {{ {stored} }} catch (error) {{}}")  # a page without an origin has no storage
    page = context.new_page()
    failed = []
    for shot in session["shots"]:
        try:
            _shoot(page, shot, folder)
        except BrowserError as error:
            page.screenshot(path=folder / f"failed-{shot['file']}")
            failed.append(f"{shot['file']} of {shot['url']}: {str(error).splitlines()[0]}")
    context.close()
    return failed


def _shoot(page: Page, shot: dict[str, Any], folder: Path) -> None:
    page.goto("about:blank")  # else an address that differs after its # only would not be loaded anew
    page.goto(shot["url"])
    for selector in shot["click"]:
        page.locator(selector).first.click()
    for text in shot["see"]:
        page.get_by_text(text).locator("visible=true").first.wait_for(state="visible")
    page.wait_for_timeout(SETTLE_MS)
    if shot["scroll_to"]:
        page.get_by_text(shot["scroll_to"]).first.evaluate("each => each.scrollIntoView({block: 'start'})")
        page.wait_for_timeout(SETTLE_MS)
    # Few colours are enough for a page of text, and make the file a third as large.
    image = Image.open(io.BytesIO(page.screenshot())).convert("RGB").resize(KEPT, Image.Resampling.LANCZOS)
    image.quantize(128, dither=Image.Dither.NONE).save(folder / shot["file"], optimize=True)
    print(shot["file"], flush=True)


if __name__ == "__main__":
    problems = take(json.load(sys.stdin), Path(sys.argv[1]), Path(sys.argv[2]))
    print("\n".join(problems), file=sys.stderr)
    sys.exit(bool(problems))
