"""Addresses of folders, here and in the Globus web app, and words for what is there."""

from uuid import UUID

from django import template
from django.urls import reverse
from django.utils.http import urlencode
from globus_sdk import config

from transfers.paths import name_of

register = template.Library()


@register.simple_tag
def files_url(collection_id: UUID | str, path: str = "") -> str:
    """The folder's page, with the parameters that the Globus web app has too."""
    return _with_query(
        "transfers:files", origin_id=str(collection_id), origin_path=path
    )


@register.simple_tag
def download_url(collection_id: UUID | str, path: str) -> str:
    """The file itself, to keep; only where the collection has an HTTPS server."""
    return _of_file("transfers:download", collection_id, path=path)


@register.simple_tag
def preview_url(collection_id: UUID | str, path: str) -> str:
    """The page that shows a file, or says why it cannot."""
    return _of_file("transfers:preview", collection_id, path=path)


@register.simple_tag
def raw_url(collection_id: UUID | str, path: str) -> str:
    """A picture or a PDF, inert, for the page that shows it."""
    return _of_file("transfers:raw", collection_id, path=path)


@register.simple_tag
def upload_url(collection_id: UUID | str, path: str = "") -> str:
    """The page with the form for files into a folder."""
    return _of_file("transfers:upload", collection_id, path=path)


@register.simple_tag
def bookmark_url(collection_id: UUID | str, path: str) -> str:
    """The form that keeps a folder among the person's bookmarks."""
    return _with_query(
        "transfers:bookmark_new", collection_id=str(collection_id), path=path
    )


@register.simple_tag
def upload_file_url(collection_id: UUID | str, path: str) -> str:
    """Where a script PUTs one file, once ``&name=`` is added."""
    return _of_file("transfers:upload_file", collection_id, path=path)


def _of_file(name: str, collection_id: UUID | str, **query: str) -> str:
    return _with_query(name, [collection_id], **query)


@register.simple_tag
def new_transfer_url(
    origin_id: UUID | str = "",
    origin_path: str = "",
    destination_id: UUID | str = "",
    destination_path: str = "",
) -> str:
    return _with_query(
        "transfers:new",
        origin_id=str(origin_id),
        origin_path=origin_path,
        destination_id=str(destination_id),
        destination_path=destination_path,
    )


@register.simple_tag
def changed_again_url(transfer_id: UUID, *, leave_out: bool = False) -> str:
    """The form, filled in with what a transfer was.

    :param leave_out: what cannot be read
    """
    skip = "on" if leave_out else ""
    return _with_query(
        "transfers:new", again_of=str(transfer_id), skip_source_errors=skip
    )


@register.simple_tag
def task_files_url(
    transfer_id: UUID, which: str, marker: str = "", *, as_csv: bool = False
) -> str:
    """The files that a task copied (``done``) or left out (``skipped``)."""
    name = "transfers:task_files_csv" if as_csv else "transfers:task_files"
    address = reverse(name, args=[transfer_id])
    query = {"which": which} | ({"marker": marker} if marker else {})
    return f"{address}?{urlencode(query)}"


def _with_query(name: str, args: list[UUID | str] | None = None, **query: str) -> str:
    given = {key: value for key, value in query.items() if value}
    address = reverse(name, args=args)
    return f"{address}?{urlencode(given)}" if given else address


@register.simple_tag
def web_app_task_url(task_id: UUID) -> str:
    return _in_web_app(f"activity/{task_id}/overview")


@register.simple_tag
def web_app_collection_url(collection_id: UUID) -> str:
    return _in_web_app(f"file-manager/collections/{collection_id}/overview")


def _in_web_app(path: str) -> str:
    """Empty where the deployment has no web app, such as a sandbox."""
    try:
        return f"{config.get_webapp_url().rstrip('/')}/{path}"
    except ValueError:
        return ""


@register.filter
def last_name(path: str) -> str:
    return name_of(path) or path


@register.filter
def folder_of(path: str) -> str:
    """The folder to look into when something at this path is wanted."""
    return path if path.endswith("/") else path.rpartition("/")[0] + "/"
