"""The built client becomes pages: immutable names, an index that is asked for again, nothing from elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.gateway import assets, headers


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_bytes(b"<!doctype html>")
    (tmp_path / "assets" / "main-1a.js").write_bytes(b"export {};")
    (tmp_path / "valv.svg").write_bytes(b"<svg/>")
    return tmp_path


def pages(folder: Path, card_origin: str | None = None) -> dict[str, dict[str, str]]:
    return {page.path: dict(page.headers) for page in assets.read(folder, card_origin)}


def test_hashed_names_are_kept_and_the_rest_is_asked_for_again(folder: Path) -> None:
    found = pages(folder)
    assert found["/assets/main-1a.js"]["cache-control"] == assets.IMMUTABLE
    assert found["/valv.svg"]["cache-control"] == assets.REVALIDATE
    assert found["/"]["cache-control"] == assets.REVALIDATE


def test_the_clients_own_list_of_addresses_is_used(folder: Path) -> None:
    (folder / "routes.json").write_text('["/", "/cards"]')
    found = pages(folder)
    assert set(found) == {"/", "/cards", "/assets/main-1a.js", "/valv.svg"}


@pytest.mark.clause("P11", "ASVS 3.4.3")
def test_the_card_fields_origin_is_admitted_on_the_card_page_alone(folder: Path) -> None:
    found = pages(folder, "https://cards.example")
    admitting = [path for path, sent in found.items() if "cards.example" in sent.get("content-security-policy", "")]
    assert admitting == [assets.CARD_PAGE]


def test_no_page_admits_inline_script_or_other_origins() -> None:
    policy = headers.page_policy()
    assert "unsafe" not in policy
    assert "http" not in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy


@pytest.mark.parametrize("name", ["program.exe", "noextension"])
def test_files_of_unknown_type_are_refused(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"x")
    with pytest.raises(assets.AssetError):
        assets.read(folder, None)


def test_links_are_refused(folder: Path) -> None:
    (folder / "passwd.txt").symlink_to("/etc/passwd")
    with pytest.raises(assets.AssetError):
        assets.read(folder, None)


def test_without_an_index_there_is_no_client(tmp_path: Path) -> None:
    with pytest.raises(assets.AssetError):
        assets.read(tmp_path, None)
