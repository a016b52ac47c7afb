"""Takes the pictures of the README from a Valv that runs at https://localhost:8443, as a person would see it."""

from __future__ import annotations

import json
import re
import secrets
import shutil
import sys
import time
import urllib.request

from playwright.sync_api import Page, ViewportSize, sync_playwright

from deploy.cli.layout import REPOSITORY, Layout, Ports

PASSWORD = "a green lamp over the harbour"  # noqa: S105 - of an account made for the pictures
SIZE = ViewportSize(width=1240, height=860)
FOLDER = REPOSITORY / "docs" / "images"
FILES = {
    "Lease 2026.pdf": b"%PDF-1.7\n" + secrets.token_bytes(220_000),
    "Årsredovisning.xlsx": secrets.token_bytes(90_000),
    "holiday.jpg": secrets.token_bytes(1_900_000),
}


def main() -> int:
    """Take the pictures; returns the exit code."""
    layout = Layout(REPOSITORY / "var", Ports())
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        print("no Chromium: apt install chromium")
        return 1
    FOLDER.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        context = browser.new_context(ignore_https_errors=True, locale="en-GB", viewport=SIZE, base_url=layout.address)
        page = context.new_page()
        _sign_in(page, layout.ports)
        _live(page, layout.ports)
        for name, path in (
            ("overview", "/"),
            ("files", "/files"),
            ("cards", "/cards"),
            ("activity", "/activity"),
            ("security", "/security"),
        ):
            page.goto(path)
            page.wait_for_load_state("networkidle")
            page.wait_for_timeout(500)
            page.screenshot(path=str(FOLDER / f"{name}.png"))
            print(f"docs/images/{name}.png")
        browser.close()
    return 0


def _sign_in(page: Page, ports: Ports) -> None:
    email = f"ada.{secrets.token_hex(2)}@example.com"
    page.goto("/sign-up")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign up").click()
    page.get_by_role("heading", name="Check your mail").wait_for()
    page.goto(_link(ports, email))
    page.get_by_role("heading", name="Your address is confirmed").wait_for()
    page.goto("/sign-in")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_role("timer").wait_for()


def _link(ports: Ports, email: str) -> str:
    for _ in range(100):
        with urllib.request.urlopen(f"http://127.0.0.1:{ports.mail}/messages?recipient={email}") as answer:
            found = re.search(r"https://\S+#token=[^\s\"\\]+", json.dumps(json.load(answer)))
        if found:
            return found[0]
        time.sleep(0.2)
    raise TimeoutError("no mail arrived")


def _live(page: Page, ports: Ports) -> None:
    """Do what a customer does, so that there is something to see."""
    page.goto("/files")
    files = [{"name": name, "mimeType": "application/octet-stream", "buffer": data} for name, data in FILES.items()]
    page.locator("input[type=file]").set_input_files(files)  # type: ignore[arg-type]  # a list of plain dicts
    for name in FILES:
        page.get_by_role("link", name=f"Download {name}").wait_for()
    page.goto("/cards")
    page.get_by_role("button", name="Add a card").click()
    frame = page.frame_locator("iframe")
    frame.get_by_label("Card number").fill("4242424242424242")
    frame.get_by_label(re.compile("^Expiry")).fill("12/30")
    frame.get_by_label(re.compile("^(Security code|CVC)")).fill("123")
    page.get_by_role("button", name="Save card").click()
    page.get_by_text(re.compile("Visa ending in 4242")).first.wait_for()
    shop = page.context.new_page()
    shop.goto(f"https://localhost:{ports.shop}/")
    shop.get_by_role("button", name=re.compile("^Buy")).first.click()
    shop.wait_for_load_state("networkidle")
    shop.close()
    page.wait_for_timeout(3000)


if __name__ == "__main__":
    sys.exit(main())
