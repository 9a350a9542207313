"""The documentation: translated pages that keep up with their originals, and a site that needs no network."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path, PurePosixPath

import pytest

from scripts.build_docs import place, relinked
from tests.browser import browser_page
from tests.node import ran

PROJECT_DIR = Path(__file__).resolve().parents[2]
TRANSLATIONS = sorted([*PROJECT_DIR.glob("*.vi.md"), *(PROJECT_DIR / "docs").rglob("*.vi.md")])
_BLOCK = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_SITE_TIMEOUT_S = 240


def original(page: Path) -> Path:
    return page.with_name(page.name.replace(".vi.md", ".md"))


def prose(page: Path) -> str:
    """The page without its blocks of code and without the line that leads to the other language."""
    text = _BLOCK.sub("", page.read_text(encoding="utf-8"))
    return re.sub(r"^\[(English|Tiếng Việt)\]\(.*\)$", "", text, flags=re.MULTILINE)


def links(page: Path) -> list[str]:
    found: set[str] = set()

    def seen(address: str) -> str:
        found.add(address.replace(".vi.md", ".md"))
        return address

    relinked(prose(page), seen)
    return sorted(found)


def test_what_operators_and_newcomers_read_is_there_in_vietnamese() -> None:
    recipes = [path.name for path in (PROJECT_DIR / "docs" / "recipes").glob("*.md") if ".vi" not in path.name]
    wanted = {
        "README.md",
        *(f"docs/{name}.md" for name in ("console", "deployment", "operations")),
        *(f"docs/recipes/{name}" for name in recipes),
    }
    assert wanted <= {original(page).relative_to(PROJECT_DIR).as_posix() for page in TRANSLATIONS}


@pytest.mark.parametrize("page", TRANSLATIONS, ids=lambda page: page.relative_to(PROJECT_DIR).as_posix())
class TestTranslation:
    def test_has_the_blocks_of_code_of_its_original(self, page: Path) -> None:
        assert _BLOCK.findall(page.read_text(encoding="utf-8")) == _BLOCK.findall(
            original(page).read_text(encoding="utf-8")
        )

    def test_names_the_same_commands_settings_and_paths(self, page: Path) -> None:
        here, there = (set(re.findall(r"`([^`\n]+)`", prose(one))) for one in (page, original(page)))
        assert here == there

    def test_has_the_same_sections_tables_and_links(self, page: Path) -> None:
        for shape in (r"^(#+) ", r"^(\|)", r"^(\d\.|-) "):
            found = [re.findall(shape, prose(one), re.MULTILINE) for one in (page, original(page))]
            assert found[0] == found[1], shape
        assert links(page) == links(original(page))


class TestSources:
    def test_pages_elsewhere_in_the_repository_have_a_place(self) -> None:
        assert [str(place(PurePosixPath(path))) for path in ("README.md", "docs/a/b.md", "sdk/README.md")] == [
            "index.md",
            "a/b.md",
            "repository/sdk/README.md",
        ]

    def test_links_are_changed_and_code_is_not(self) -> None:
        text = "[a](b.md#c) [d](https://e.example) [f](#g) `[h](i.md)`\n```\n[j](k.md)\n```\n"
        assert relinked(text, str.upper) == text.replace("b.md", "B.MD")


def build(project: Path, folder: Path) -> str:
    """What is said where the site is refused."""
    ran("make", "docs-environment", folder=PROJECT_DIR, timeout_s=_SITE_TIMEOUT_S)
    done = subprocess.run(
        [PROJECT_DIR / ".venv-docs" / "bin" / "python", project / "scripts" / "build_docs.py", "--site", folder],
        check=False,
        capture_output=True,
        text=True,
        timeout=_SITE_TIMEOUT_S,
    )
    return "" if done.returncode == 0 else done.stderr


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    assert build(PROJECT_DIR, folder) == ""
    return folder


@pytest.mark.slow
class TestSite:
    def test_a_link_that_leads_nowhere_and_a_page_outside_the_navigation_are_refused(self, tmp_path: Path) -> None:
        for name in ("README.md", "README.vi.md", "CONTRIBUTING.md", "CHANGELOG.md", "mkdocs.yml", ".env.example"):
            shutil.copy(PROJECT_DIR / name, tmp_path / name)
        for name in ("docs", "scripts", "sdk", "app/ml_models/packs"):
            ignored = shutil.ignore_patterns("node_modules", "generated", "dist")
            shutil.copytree(PROJECT_DIR / name, tmp_path / name, ignore=ignored)
        page = tmp_path / "docs" / "api.md"
        page.write_text(page.read_text(encoding="utf-8") + "\n[a](gone.md) [b](events.md#gone)\n", encoding="utf-8")
        (tmp_path / "docs" / "forgotten.md").write_text("# Forgotten\n", encoding="utf-8")
        said = build(tmp_path, tmp_path / "site")
        for reason in ("link 'gone.md'", "anchor '#gone'", "forgotten.md"):
            assert reason in said

    def test_loads_nothing_from_elsewhere_and_is_searched_in_both_languages(self, site: Path) -> None:
        with browser_page() as page:
            asked: list[str] = []
            page.on("request", lambda request: asked.append(request.url))
            for start, words, found in (
                ("index.html", "outbox", "/events.html?h=outbox"),
                ("vi/index.html", "sao lưu", "vi/operations.html?h=sao"),
            ):
                page.goto((site / start).as_uri())
                page.locator(".md-search__input").first.press_sequentially(words)
                page.locator(f"a.md-search-result__link[href*='{found}']").first.wait_for(state="attached")
            assert not [url for url in asked if not url.startswith(("file:", "data:", "blob:"))]

    def test_a_page_leads_to_itself_in_the_other_language(self, site: Path) -> None:
        with browser_page() as page:
            page.goto((site / "recipes" / "kiosk-check-in.html").as_uri())
            page.locator("a.md-select__link[hreflang=vi]").evaluate("link => link.click()")
            page.get_by_role("heading", level=1, name="Chấm công ở kiosk").wait_for()
            assert page.url.endswith("/vi/recipes/kiosk-check-in.html")

    def test_shows_the_pictures_of_the_console(self, site: Path) -> None:
        with browser_page() as page:
            page.goto((site / "console.html").as_uri())
            widths = page.locator("article img").evaluate_all("all => all.map(one => one.naturalWidth)")
            assert len(widths) >= 9
            assert all(widths)
