"""Dagster over GraphQL: what others than Dagster's own processes ask of it.

Lives here: adding a partition, launching a job, the state of a run, whether Dagster is well. Does not: reading events
or runs in bulk, which is done with `DagsterInstance` where Dagster is installed and its storage can be reached.

Written against the schema of dagster-graphql 1.13; the webserver serves it at `/graphql`. Dagster's own
`DagsterGraphQLClient` has no call for partitions or health.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from aila_pipeline.errors import DagsterUnavailable, SettingInvalid

CODE_LOCATION = "aila_pipeline"
"""What Dagster calls our definitions as a whole; set in every workspace file."""

_REPOSITORY = "__repository__"
"""The name that Dagster gives to the one `Definitions` of a code location."""

_ADD_PARTITION = """
mutation($repository: RepositorySelector!, $definition: String!, $key: String!) {
  outcome: addDynamicPartition(repositorySelector: $repository, partitionsDefName: $definition, partitionKey: $key) {
    __typename
    ... on Error { message }
    ... on UnauthorizedError { message }
  }
}"""

_LAUNCH = """
mutation($params: ExecutionParams!) {
  outcome: launchRun(executionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on RunConfigValidationInvalid { errors { message } }
    ... on Error { message }
  }
}"""

_RUN_STATUS = """
query($run: ID!) {
  outcome: runOrError(runId: $run) { __typename ... on Run { status } ... on Error { message } }
}"""

_HEALTH = """
query {
  instance { daemonHealth { allDaemonStatuses { daemonType required lastHeartbeatTime } } }
  outcome: workspaceOrError {
    __typename
    ... on Error { message }
    ... on Workspace {
      locationEntries { name loadStatus locationOrLoadError { __typename ... on Error { message } } }
    }
  }
}"""


@dataclass(frozen=True)
class Health:
    """How Dagster is: when each of its daemons was last heard of, and whether our definitions are loaded."""

    daemons: Mapping[str, float | None]
    """Each daemon that has to run, and its last heartbeat (Unix time; one is due every 30 seconds), if any."""
    location_loaded: bool
    location_error: str | None

    def silent_daemons(self, since: float) -> tuple[str, ...]:
        """Names of the daemons that were not heard of since then (Unix time).

        Dagster itself calls a daemon healthy for half an hour after its last heartbeat, whoever sent it.
        """
        return tuple(sorted(name for name, heard in self.daemons.items() if heard is None or heard < since))


class DagsterClient:
    """One Dagster webserver. Cheap to make, keeps no connection, safe to share between threads."""

    def __init__(self, url: str, *, location: str = CODE_LOCATION, timeout_seconds: float = 10.0) -> None:
        """`url` as a browser opens it, a path prefix included.

        Raises:
            SettingInvalid: not an http or https URL.
        """
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise SettingInvalid("AILA_DAGSTER_URL must be like http://127.0.0.1:3000")
        self.url = url.rstrip("/")
        self._connection = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._host, self._port, self._prefix = parts.hostname, parts.port, parts.path.rstrip("/")
        self._repository = {"repositoryName": _REPOSITORY, "repositoryLocationName": location}
        self._timeout_seconds = timeout_seconds

    def run_url(self, run_id: str) -> str:
        """Where a person looks at the run."""
        return f"{self.url}/runs/{run_id}"

    def add_partition(self, partitions_def: str, key: str) -> bool:
        """Adds a key to a set of dynamic partitions; False when it was there already.

        To be done before a launch for the key: Dagster accepts a launch for an unknown one, and the run then fails.

        Raises:
            DagsterUnavailable: no answer, or a refusal.
        """
        variables = {"repository": self._repository, "definition": partitions_def, "key": key}
        kind, _ = self._ask(
            _ADD_PARTITION, variables, expected={"AddDynamicPartitionSuccess", "DuplicateDynamicPartitionError"}
        )
        return kind == "AddDynamicPartitionSuccess"

    def launch(self, job: str, partition_key: str | None = None, tags: Mapping[str, str] | None = None) -> str:
        """Queues a run of the job and returns its id.

        Raises:
            DagsterUnavailable: no answer, or a refusal (like a job that the loaded definitions do not have). When no
                answer came in time, the run may have been queued all the same.
        """
        given = {**(tags or {}), **({"dagster/partition": partition_key} if partition_key is not None else {})}
        params = {
            "selector": {**self._repository, "jobName": job},
            "mode": "default",
            "runConfigData": {},
            "executionMetadata": {"tags": [{"key": key, "value": value} for key, value in given.items()]},
        }
        _, outcome = self._ask(_LAUNCH, {"params": params}, expected={"LaunchRunSuccess"})
        return str(outcome["run"]["runId"])

    def run_status(self, run_id: str) -> str | None:
        """The run's status as Dagster names it (`QUEUED`, `STARTED`, `SUCCESS`, …); None for a run it does not know.

        Raises:
            DagsterUnavailable: no answer.
        """
        kind, outcome = self._ask(_RUN_STATUS, {"run": run_id}, expected={"Run", "RunNotFoundError"})
        return str(outcome["status"]) if kind == "Run" else None

    def health(self) -> Health:
        """How Dagster is, see `Health`.

        Raises:
            DagsterUnavailable: the webserver or its storage does not answer.
        """
        data = self._post(_HEALTH, {})
        statuses = data["instance"]["daemonHealth"]["allDaemonStatuses"]
        entries = data["outcome"].get("locationEntries", [])
        ours = [entry for entry in entries if entry["name"] == self._repository["repositoryLocationName"]]
        content = (ours[0]["locationOrLoadError"] or {}) if ours else {}
        error = content.get("message") or data["outcome"].get("message")
        return Health(
            daemons={each["daemonType"]: each["lastHeartbeatTime"] for each in statuses if each["required"]},
            location_loaded=content.get("__typename") == "RepositoryLocation" and ours[0]["loadStatus"] == "LOADED",
            location_error=error,
        )

    def _ask(self, query: str, variables: Mapping[str, Any], expected: set[str]) -> tuple[str, dict[str, Any]]:
        """The type of the answer and the answer itself, if the type is an expected one."""
        outcome: dict[str, Any] = self._post(query, variables)["outcome"]
        kind = outcome["__typename"]
        if kind not in expected:
            reasons = [outcome.get("message"), *(error["message"] for error in outcome.get("errors", []))]
            raise DagsterUnavailable(f"{kind}: {'; '.join(reason for reason in reasons if reason)}")
        return kind, outcome

    def _post(self, query: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        connection = self._connection(self._host, self._port, timeout=self._timeout_seconds)
        body = json.dumps({"query": query, "variables": variables})
        try:
            connection.request("POST", f"{self._prefix}/graphql", body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            answer = json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise DagsterUnavailable(f"{self.url}, {type(error).__name__}") from error
        finally:
            connection.close()
        if not isinstance(answer, dict) or answer.get("errors") or not isinstance(answer.get("data"), dict):
            told = answer.get("errors") if isinstance(answer, dict) else None
            reason = told[0].get("message", "") if isinstance(told, list) and told else f"HTTP {response.status}"
            raise DagsterUnavailable(f"{self.url}, {reason}")
        data: dict[str, Any] = answer["data"]
        return data
