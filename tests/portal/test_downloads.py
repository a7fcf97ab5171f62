"""W04: a spreadsheet takes no cell of ours for a formula."""

import pytest

from portal.downloads import csv_lines, csv_response


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_w04_a_formula_is_shown_as_text(start):
    assert "".join(csv_lines(["A"], [[f"{start}cmd"]])).count(f"'{start}cmd") == 1


def test_rows_are_quoted_where_they_need_it():
    lines = list(csv_lines(["ID", "Name"], [["1", 'a "b", c']]))
    assert lines == ["ID,Name\r\n", '1,"a ""b"", c"\r\n']


def test_the_name_of_the_file_is_in_the_header():
    response = csv_response("groups.csv", ["A"], [])
    assert response["Content-Disposition"] == 'attachment; filename="groups.csv"'
    assert response["Content-Type"].startswith("text/csv")
