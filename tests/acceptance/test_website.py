"""The site of the documents: built for real, complete, and without anything of third parties."""

from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

import pytest

from scripts import website
from scripts.website import CONFIGURATION, WebsiteError

# What a browser fetches without a click.
FETCHED = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src"}
# The generator's scripts fetch libraries from a CDN for these alone.
FROM_A_CDN = {"mermaid", "glightbox", "arithmatex", "pyodide", "ace_editor"}


class Page(NamedTuple):
    """What is of interest in a page of the site."""

    links: set[str]
    fetched: set[str]
    anchors: set[str]
    classes: set[str]


class Reader(HTMLParser):
    """Reads a page of the site."""

    def __init__(self) -> None:
        super().__init__()
        self.page = Page(set(), set(), set(), set())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        has = {name: value or "" for name, value in attrs}
        if tag == "a" and "href" in has:
            self.page.links.add(has["href"])
        if tag in FETCHED and FETCHED[tag] in has:
            self.page.fetched.add(has[FETCHED[tag]])
        self.page.anchors.add(has.get("id", ""))
        self.page.classes.update(has.get("class", "").split())


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, Page]:
    folder = tmp_path_factory.mktemp("docs")
    website.stage(folder, website.sources())
    found = {}
    for file in website.build(folder).rglob("*.html"):
        reader = Reader()
        reader.feed(file.read_text("utf-8"))
        found[file] = reader.page
    return found


def test_the_site_holds_each_page(site: dict[Path, Page]) -> None:
    pages = [file for file in website.sources() if file.suffix == ".md"]
    assert len(site) == len(pages) + 1  # the page for what is not found


def test_each_link_leads_somewhere(site: dict[Path, Page]) -> None:
    followed = 0
    for file, page in site.items():
        for link in page.links | page.fetched:
            url = urlsplit(link)
            # The page for what is not found lies at no certain place.
            if url.scheme or file.name == "404.html":
                continue
            target = (file.parent / unquote(url.path)).resolve() if url.path else file
            target = target / "index.html" if target.is_dir() else target
            assert target.exists(), f"{file}: {link}"
            if url.fragment and target in site:
                assert unquote(url.fragment) in site[target].anchors, f"{file}: {link}"
            followed += 1
    assert followed > 1000


def test_the_pages_fetch_nothing_from_others(site: dict[Path, Page]) -> None:
    for file, page in site.items():
        assert page.fetched
        assert [link for link in page.fetched if urlsplit(link).netloc] == [], file
        assert page.classes.isdisjoint(FROM_A_CDN), file
    styles = {style for file in site for style in file.parent.glob("assets/**/*.css")}
    assert styles
    assert [style for style in styles if "url(http" in style.read_text("utf-8")] == []


def test_broken_links_fail_with_their_places(tmp_path: Path) -> None:
    website.stage(tmp_path, [])
    (tmp_path / CONFIGURATION.name).write_text('[project]\nsite_name = "x"\ndocs_dir = "pages"\n')
    page = tmp_path / "pages/README.md"
    page.parent.mkdir()
    page.write_text("# Here\n\n[a](#here) [b](https://example.com)\n")
    assert website.build(tmp_path) == tmp_path / "site"
    page.write_text("# Here\n\n[a](#nowhere)\n[b](nowhere.md) [c](README.md#here)\n")
    with pytest.raises(WebsiteError) as raised:
        website.build(tmp_path)
    assert str(raised.value).splitlines() == [
        "2 broken links",
        "README.md:3:6: anchor does not exist",
        "README.md:4:5: page does not exist",
    ]
