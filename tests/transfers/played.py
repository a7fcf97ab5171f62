"""What Transfer answers in a test, and what it was asked."""

from __future__ import annotations

import json
import re
import uuid
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
import responses

TASK_ID = uuid.UUID("11111111-1111-4111-8111-111111111111")
SUBMISSION_ID = uuid.UUID("22222222-2222-4222-8222-222222222222")


class PlayedTransfer:
    def __init__(self, mock: responses.RequestsMock, base_url: str) -> None:
        self._mock = mock
        self._base = f"{base_url.rstrip('/')}/v0.10/"

    def says(self, method: str, path: str, **answer: Any) -> None:
        """Registers an answer; the last one registered for a path is repeated."""
        if isinstance(answer.get("json"), dict):
            answer["json"] = {"request_id": "aBcDeFgHi", **answer["json"]}
        self._mock.add(method, re.compile(self._pattern(path)), **answer)

    def forgets(self, method: str, path: str) -> None:
        self._mock.remove(method, re.compile(self._pattern(path)))

    def answers(self, method: str, path: str, callback: Any) -> None:
        self._mock.add_callback(method, re.compile(self._pattern(path)), callback)

    def gives_submission_id(self, value: Any = SUBMISSION_ID) -> None:
        self.says("GET", "submission_id", json={"value": str(value)})

    def accepts(self, *, code: str = "Accepted", task_id: Any = TASK_ID) -> None:
        self.says(
            "POST",
            "transfer",
            status=202,
            json={"code": code, "message": code, "task_id": str(task_id)},
        )

    def refuses(self, status: int, code: str, message: str = "No", **more: Any) -> None:
        self.says(
            "POST",
            "transfer",
            status=status,
            json={"code": code, "message": message, "resource": "/transfer", **more},
        )

    def calls(self, path: str) -> list[requests.PreparedRequest]:
        pattern = re.compile(self._pattern(path))
        return [
            call.request
            for call in self._mock.calls
            if pattern.match(str(call.request.url))
        ]

    def bodies(self, path: str) -> list[dict[str, Any]]:
        return [json.loads(request.body or "") for request in self.calls(path)]

    def _pattern(self, path: str) -> str:
        return rf"{re.escape(self._base)}{path}(\?.*)?$"


def query_of(request: requests.PreparedRequest) -> dict[str, str]:
    return {
        name: values[0]
        for name, values in parse_qs(urlsplit(str(request.url)).query).items()
    }


def consent_required(collection_id: str) -> dict[str, Any]:
    scope = (
        "urn:globus:auth:scope:transfer.api.globus.org:all"
        f"[*https://auth.globus.org/scopes/{collection_id}/data_access]"
    )
    return {
        "required_scopes": [scope],
        "authorization_parameters": {
            "required_scopes": [scope],
            "session_message": "Missing required data_access consent",
        },
    }
