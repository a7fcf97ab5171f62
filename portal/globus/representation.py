"""JSON as others write it: also with texts that are not Unicode.

A name that somebody's program wrote may hold half of a character, a lone surrogate.
JSON can say it (``"\\ud800"``), ``orjson`` neither reads nor writes it, and one such
name would hide a whole document. Python's own parser is slower, so it is asked second.
"""

from __future__ import annotations

import json
from typing import Any

from globus_sdk.transport import RequestsTransport
from globus_sdk.transport.representation_providers import RequestsJsonProvider
from requests import Request, Response


class PatientJson(RequestsJsonProvider):
    def encode(
        self,
        method: str,
        url: str,
        params: dict[str, Any] | None,
        data: Any,
        headers: dict[str, str],
    ) -> Request:
        try:
            return super().encode(method, url, params, data, headers)
        except TypeError:  # orjson's word for a text that is no Unicode
            body = json.dumps(self._prepare_data(data)).encode()
            headers = {"Content-Type": "application/json", **headers}
            return Request(
                method,
                url,
                data=body,
                params=self._prepare_params(params),
                headers=self._prepare_headers(headers),
            )

    def decode_body(self, response: Response) -> Any:
        """:raises ValueError: it is no JSON"""
        try:
            return super().decode_body(response)
        except ValueError:
            return json.loads(response.text)


def be_patient(transport: RequestsTransport) -> None:
    transport.representation_providers["json"] = PatientJson()
