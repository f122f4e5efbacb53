"""Answers in JSON, as clients of an API server take them."""

from __future__ import annotations

import json
from collections.abc import Mapping

from aiohttp import web

from lab.kubernetes.values import Object

__all__ = ["answer_json"]


def answer_json(
    body: Object, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """Answer with an object, a list or a `Status`."""
    return web.Response(
        # Bytes, since text would add a charset, and lightkube knows a `Status` by the bare type.
        body=json.dumps(body, separators=(",", ":")).encode(),
        status=status,
        content_type="application/json",
        headers=headers,
    )
