"""What a form on a page holds, as a browser without a script would send it."""

from __future__ import annotations

from html.parser import HTMLParser


class _Reader(HTMLParser):
    def __init__(self, form_id: str) -> None:
        super().__init__()
        self.form_id = form_id
        self.is_inside = False
        self.fields: dict[str, list[str]] = {}
        self.texts: dict[str, str] = {}
        self.described: dict[str, str] = {}
        self._select: list[tuple[str, bool]] | None = None
        self._name = ""
        self._text: str | None = None
        self._open: list[str] = []

    def handle_starttag(self, tag, attrs):
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.is_inside = given.get("id") == self.form_id
        if given.get("id"):
            self.described[given["id"]] = given.get("aria-describedby", "")
            self._open = [given["id"]]
            self.texts.setdefault(given["id"], "")
        if not self.is_inside:
            return
        if tag == "select":
            self._name, self._select = given.get("name", ""), []
        elif tag == "option" and self._select is not None:
            self._select.append((given.get("value", ""), "selected" in given))
        elif tag == "textarea":
            self._name, self._text = given.get("name", ""), ""
        elif tag == "input":
            self._input(given)

    def _input(self, given):
        kind = given.get("type", "text")
        is_off = kind in ("checkbox", "radio") and "checked" not in given
        if kind != "file" and not is_off:
            default = "on" if kind == "checkbox" else ""
            self._add(given.get("name", ""), given.get("value", default))

    def handle_endtag(self, tag):
        if tag in ("p", "label"):
            self._open = []
        if tag == "form":
            self.is_inside = False
        elif tag == "select" and self._select is not None:
            chosen = [value for value, is_on in self._select if is_on]
            first = [value for value, _ in self._select[:1]]
            for value in (chosen or first)[:1]:
                self._add(self._name, value)
            self._select = None
        elif tag == "textarea" and self._text is not None:
            self._add(self._name, self._text.removeprefix("\n"))
            self._text = None

    def handle_data(self, data):
        if self._text is not None:
            self._text += data
        for each in self._open:
            self.texts[each] += data

    def _add(self, name, value):
        if name and name != "csrfmiddlewaretoken":
            self.fields.setdefault(name, []).append(value)


def read(answer, form_id="transfer"):
    reader = _Reader(form_id)
    reader.feed(answer.content.decode())
    return reader


def fields(answer, form_id="transfer"):
    """``{name: [value, …]}``"""
    return read(answer, form_id).fields


def explanation(answer, field_id):
    """The text that a field is described by."""
    reader = read(answer)
    return " ".join(reader.texts[each] for each in reader.described[field_id].split())
