#!/usr/bin/env python3
"""Every link inside the built book leads to a file, and to a place in it: links.py SITE"""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    def __init__(self, path):
        super().__init__()
        self.ids, self.links = set(), []
        self.feed(path.read_text())

    def handle_starttag(self, _tag, attributes):
        for name, value in attributes:
            if name in ("id", "name"):
                self.ids.add(value)
            elif name in ("href", "src"):
                self.links.append(value or "")


site = Path(sys.argv[1]).resolve()
# The page to print has all others in it, and links as they are there.
pages = {path: Page(path) for path in site.rglob("*.html") if path.name not in ("print.html", "404.html", "toc.html")}
wrong, followed = [], 0
for path, page in pages.items():
    for link in page.links:
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            continue
        followed += 1
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        if not target.is_relative_to(site) or not target.exists():
            wrong.append(f"{path.name}: {link}: nothing is there")
        elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].ids:
            wrong.append(f"{path.name}: {link}: no such place in the page")
print(f"{len(pages)} pages, {followed} links")
print("\n".join(wrong))
sys.exit(bool(wrong) or len(pages) < 15 or followed < 200)
