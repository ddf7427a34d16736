"""A page as a browser takes it in."""

from html.parser import HTMLParser


class Page(HTMLParser):
    """Collects the tags, the texts and what the page would load from elsewhere."""

    def __init__(self, path):
        super().__init__()
        self.tags, self.texts, self.sources = [], [], []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.sources += [value for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data):
        self.texts.append(data)
