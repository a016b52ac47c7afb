"""What is kept of where a call came from."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kit.origin import Origin, device_of, origin_of

_KIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
_IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X)"
AGENTS = {
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0": "firefox/linux",
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_KIT} Chrome/140.0.0.0 Safari/537.36": "chrome/windows",
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_KIT} Chrome/140.0.0.0 Safari/537.36 Edg/140.0": "edge/windows",
    f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {_KIT} Version/18.0 Safari/605.1.15": "safari/macos",
    f"{_IPHONE} {_KIT} Version/18.0 Mobile/15E148 Safari/604.1": "safari/ios",
    f"Mozilla/5.0 (Linux; Android 15; Pixel 9) {_KIT} Chrome/140.0.0.0 Mobile Safari/537.36": "chrome/android",
    "curl/8.9.1": "curl",
    "python-httpx/0.28.1": "python",
    "": "other",
    "anna.svensson@valv.localhost": "other",
}


@pytest.mark.parametrize("agent,device", AGENTS.items())
def test_a_device_is_a_class(agent: str, device: str) -> None:
    assert device_of(agent) == device


@given(st.text())
def test_a_device_never_repeats_the_header(agent: str) -> None:
    assert len(device_of(f"Mozilla/5.0 {agent} Firefox/1")) <= len("firefox/chromeos")
    assert device_of(agent).replace("/", "").isalpha()


@pytest.mark.parametrize(
    "address,kept",
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:DB8::1", "2001:db8::1"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("fe80::1%eth0", ""),
        ("203.0.113.7:443", ""),
        ("<script>", ""),
        ("", ""),
    ],
)
def test_an_address_is_one_or_nothing(address: str, kept: str) -> None:
    assert origin_of(address, "curl/8") == Origin(kept, "curl")
