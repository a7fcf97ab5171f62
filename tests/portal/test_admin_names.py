"""Names that others chose on the pages of the admin (security.md W02)."""

from django.http import HttpResponse

from portal.admin_site import show_unseen


def shown(page):
    response = HttpResponse(page)
    show_unseen(response)
    return response.content.decode()


def test_unseen_characters_are_marks_and_fields_send_back_what_was_written():
    page = '<h1 title="{0}">{0}</h1><option value="{0}">{0}</option>'
    kept = '<input value="a\u202eb"><textarea rows="2">\na\u202eb\x1b</textarea>'
    fields = kept + "<p>\u2066</p>"
    assert shown(page.replace("{0}", "fdp\u202eexe") + fields) == (
        '<h1 title="fdpU+202Eexe">fdpU+202Eexe</h1>'
        '<option value="fdp\u202eexe">fdpU+202Eexe</option>' + kept + "<p>U+2066</p>"
    )


def test_what_scripts_need_stays():
    usual = "<p>line\n\tindented – Übung שלום</p>"
    assert shown(usual) == usual
