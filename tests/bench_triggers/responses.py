"""Checks of HTTP answers, in a module of their own: HttpEventTrigger loads it anew for each answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import requests


async def is_ready(response: requests.Response) -> bool:
    """Tell whether the answer says so. Nothing takes it back: what was ready stays ready."""
    return bool(json.loads(response.content)["ready"])
