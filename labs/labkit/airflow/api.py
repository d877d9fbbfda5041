"""Airflow's public REST interface (`/api/v2`), the few calls that the labs need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import httpx

from labkit.errors import LabError

if TYPE_CHECKING:
    from labkit.stack.state import State


class Api:
    """A client that is logged in.

    Args:
        state: The stack whose interface it speaks to.
        patience: Seconds to wait for an answer.
    """

    def __init__(self, state: State, patience: float = 10) -> None:
        self._http = httpx.Client(base_url=state.ui_url, timeout=patience, trust_env=False)
        self._token = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def call(self, method: str, path: str, **arguments: Any) -> Any:
        """Return the answer to one request, None where it has no body.

        Args:
            method: Such as `GET`.
            path: Below `/api/v2/`.
            **arguments: As httpx takes them, such as `json`.

        Raises:
            LabError: The interface does not answer, or refuses; its own words are in the details.
        """
        try:
            if not self._token:
                # Everyone is admin here, so a token is to be had for the asking (SimpleAuthManager).
                self._token = self._http.get("/auth/token").raise_for_status().json()["access_token"]
            headers = {"Authorization": f"Bearer {self._token}"}
            answer = self._http.request(method, f"/api/v2/{path}", headers=headers, **arguments).raise_for_status()
        except httpx.HTTPStatusError as error:
            raise LabError("stack.api_refused", call=f"{method} {path}", details=error.response.text) from error
        except httpx.HTTPError as error:
            raise LabError("stack.no_api", details=str(error)) from error
        return answer.json() if answer.content else None

    def set_paused(self, dag: str, *, paused: bool) -> None:
        """Pause a Dag or let it go on."""
        self.call("PATCH", f"dags/{dag}", json={"is_paused": paused})

    def reparse(self, dag: str) -> None:
        """Ask the dag-processor to parse the Dag's file before all others."""
        token = self.call("GET", f"dags/{dag}")["file_token"]
        try:
            self.call("PUT", f"parseDagFile/{token}")
        except LabError as error:
            if not isinstance(error.__cause__, httpx.HTTPStatusError) or error.__cause__.response.status_code != 409:
                raise  # 409: it has been asked already and has not come to it yet

    def forget_queued(self, dag: str) -> None:
        """Take the asset events out of a Dag's queue: it will not run because of them."""
        try:
            self.call("DELETE", f"dags/{dag}/assets/queuedEvents")
        except LabError as error:
            if not isinstance(error.__cause__, httpx.HTTPStatusError) or error.__cause__.response.status_code != 404:
                raise  # 404: none is there

    def delete_dag(self, dag: str) -> None:
        """Remove a Dag and its runs from the metadata database."""
        self.call("DELETE", f"dags/{dag}")
