from pathlib import Path

import pytest

from tests import lint


@pytest.mark.parametrize(
    "markup",
    [
        "{{ name|safe }}",
        "{{ names | safeseq }}",
        "{% autoescape off %}",
        "<script>alert(1)</script>",
        '<script type="module">alert(1)</script>',
        '<p class="a" style="color: red">',
        '<a href="/" onclick="go()">',
        "<style>p {}</style>",
        "<a title={{ name }}>",
    ],
)
def test_a_template_that_trusts_too_much_is_found(markup):
    path = lint.ROOT / "templates" / "page.html"

    (finding,) = lint.findings(path, f"\n{markup}", lint.UNSAFE_IN_TEMPLATES)

    assert finding.startswith("templates/page.html:2: ")


@pytest.mark.parametrize(
    "markup",
    [
        '<script src="{% static "js/a.js" %}" type="module"></script>',
        '<script type="application/json" id="rows">{}</script>',
        '<a class="btn" title="{{ name }}" href="{{ url }}">on the way</a>',
        '<form method="post" action="{% url "begin" %}">',
        "{{ name|safely_shown }}",
        '<input name="x" data-on="1">',
    ],
)
def test_an_ordinary_template_is_not(markup):
    path = lint.ROOT / "templates" / "page.html"

    assert [*lint.findings(path, markup, lint.UNSAFE_IN_TEMPLATES)] == []


@pytest.mark.parametrize(
    "markup", ['<select class="form-select">', '{"class": "a is-valid"}']
)
def test_a_class_whose_picture_the_policy_refuses_is_found(markup):
    (finding,) = lint.findings(lint.ROOT / "a.html", markup, lint.DRAWN_WITH_DATA)

    assert finding.startswith("a.html:1: ")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("portal/views.py", "from django.utils.safestring import mark" + "_safe"),
        ("docs/running.md", "cd /" + "root/causeway"),
        ("requirements.txt", "--index" + "-url https:" + "//pypi.example.org/simple"),
    ],
)
def test_other_files_are_searched_by_their_kind(tmp_path, monkeypatch, name, text):
    monkeypatch.setattr(lint, "ROOT", tmp_path)
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)

    assert [*lint.file_findings([path])]


def test_what_is_tracked_here_is_found():
    assert Path(__file__) in lint.tracked_files()
