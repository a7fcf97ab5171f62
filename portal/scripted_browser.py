"""A browser without a screen: follows links, redirects and forms, as a person would.

It knows a page only by its HTML, so what it can do, a person without script can do.
"""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from http import HTTPStatus
from typing import Self
from urllib.parse import urljoin, urlsplit

import requests

TIMEOUT_SECONDS = 30
#: more of them than this is a loop
MOST_REFRESHES = 5


class NotOnPage(Exception):
    """A page is not what the person expected; the text says what is missing."""


@dataclass
class Form:
    """:ivar fields: what the browser would send if nothing was touched
    :ivar choices: the values of radio buttons, checkboxes and options, by name
    """

    action: str
    method: str
    fields: dict[str, list[str]] = field(default_factory=dict)
    choices: dict[str, list[str]] = field(default_factory=dict)

    def filled(self, **values: str | list[str]) -> Self:
        """:raises NotOnPage: the form has no such field, or not this choice"""
        for name, value in values.items():
            wanted = [value] if isinstance(value, str) else value
            offered = self.choices.get(name)
            if name not in self.fields and offered is None:
                raise NotOnPage(f"the form has no field {name}")
            if offered is not None and not set(wanted) <= set(offered):
                raise NotOnPage(f"the form does not offer {name} = {', '.join(wanted)}")
            self.fields[name] = wanted
        return self


class _Reader(HTMLParser):
    """Collects forms, text and the refresh of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.words: list[str] = []
        self.refresh = ""
        self.title = ""
        self._in_title = False
        self._form: Form | None = None
        self._select = ""
        self._textarea = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "meta" and given.get("http-equiv", "").lower() == "refresh":
            self.refresh = given.get("content", "").partition("=")[2].strip(" '\"")
        elif tag == "title":
            self._in_title = not self.title  # drawings have titles, too
        elif tag == "form":
            self._form = Form(given.get("action", ""), given.get("method", "get"))
            self.forms.append(self._form)
        elif self._form is not None:
            self._read_control(self._form, tag, given)

    def handle_endtag(self, tag: str) -> None:
        if tag == "title":
            self._in_title = False
        elif tag == "form":
            self._form = None
        elif tag == "select":
            self._select = ""
        elif tag == "textarea":
            self._textarea = ""

    def handle_data(self, data: str) -> None:
        self.words += data.split()
        if self._in_title:
            self.title += " ".join(data.split())
        if self._textarea and self._form:
            self._form.fields[self._textarea] = [data]

    def _read_control(self, form: Form, tag: str, given: dict[str, str]) -> None:
        name, value = given.get("name", ""), given.get("value", "")
        if tag == "select":
            self._select = name
            form.choices.setdefault(name, [])
        elif tag == "option" and self._select:
            form.choices[self._select].append(value)
            if "selected" in given or self._select not in form.fields:
                form.fields[self._select] = [value]
        elif tag == "textarea":
            self._textarea = name
            form.fields[name] = [""]
        elif tag == "button" or given.get("type") == "submit":
            form.choices.setdefault(name, []).append(value)
        elif tag == "input" and given.get("type") in {"radio", "checkbox"}:
            form.choices.setdefault(name, []).append(value or "on")
            if "checked" in given:
                form.fields.setdefault(name, []).append(value or "on")
        elif tag == "input":
            form.fields.setdefault(name, []).append(value)


@dataclass
class Page:
    url: str
    status: int
    title: str
    text: str
    forms: list[Form]
    refresh: str

    def form_to(self, path: str) -> Form:
        """:raises NotOnPage: the page has no form with this target"""
        form = self.find_form(path)
        if form is None:
            raise NotOnPage(f"there is no form to {path}: {self}")
        return form

    def find_form(self, path: str) -> Form | None:
        found = (f for f in self.forms if urlsplit(f.action or self.url).path == path)
        return next(found, None)

    def expect(self, text: str) -> None:
        """:raises NotOnPage: the page does not say this, or is about an error"""
        if text not in self.text or self.status != HTTPStatus.OK:
            raise NotOnPage(f"“{text}” is not shown: {self}")

    def __str__(self) -> str:
        # Without the query: a callback's holds the code and the state.
        return (
            f"{self.url.partition('?')[0]} answered {self.status}, “{self.text[:300]}”"
        )


class ScriptedBrowser:
    def __init__(self) -> None:
        self._session = requests.Session()
        self._session.trust_env = False  # a proxy has no business on loopback

    def visit(self, url: str) -> Page:
        return self._arrive(self._session.get(url, timeout=TIMEOUT_SECONDS))

    def submit(self, page: Page, form: Form) -> Page:
        url = urljoin(page.url, form.action)
        pairs = [(name, value) for name in form.fields for value in form.fields[name]]
        if form.method.lower() == "get":
            answer = self._session.get(url, params=pairs, timeout=TIMEOUT_SECONDS)
        else:
            answer = self._session.post(url, data=pairs, timeout=TIMEOUT_SECONDS)
        return self._arrive(answer)

    def _arrive(self, answer: requests.Response) -> Page:
        """Follow pages that lead on by themselves."""
        page = _read(answer)
        for _ in range(MOST_REFRESHES):
            target = urljoin(page.url, page.refresh)
            if not page.refresh or target == page.url:
                return page
            page = _read(self._session.get(target, timeout=TIMEOUT_SECONDS))
        raise NotOnPage(f"{page.url} leads on and on")


def _read(answer: requests.Response) -> Page:
    reader = _Reader()
    reader.feed(answer.text)
    reader.close()
    return Page(
        url=answer.url,
        status=answer.status_code,
        title=reader.title,
        text=" ".join(reader.words),
        forms=reader.forms,
        refresh=reader.refresh,
    )
