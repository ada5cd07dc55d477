"""Whatever happens to a ledger, in whatever order: its invariants hold after every step.

Hypothesis plays client, sensors and workers on one SQLite file, and shrinks what goes wrong to the shortest story.
"""

from __future__ import annotations

import shutil
import tempfile
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.ledger.leases import Leases
from aila_pipeline.adapters.ledger.records import Batch, WorkCall
from aila_pipeline.adapters.ledger.tables import shards
from aila_pipeline.adapters.ledger.work import Work
from aila_pipeline.domain.models import Priority, Submission
from aila_pipeline.domain.status import CallStatus, Stage
from aila_pipeline.errors import AudioInvalid, CallError, LeaseLost, SourceUnavailable
from aila_pipeline_tests.adapters.ledger.builders import (
    NOW,
    a_call,
    a_submission,
    a_tenant,
    a_version,
    accept,
    received,
    rows,
)
from aila_pipeline_tests.adapters.ledger.invariants import assert_sound

LIMIT = 3


class LedgerStory(RuleBasedStateMachine):
    """Two tenants, five ids, two qualities of data, workers that come, stall and come back."""

    template: Path

    def __init__(self) -> None:
        super().__init__()
        # In memory where the system has such a directory: stories are about order, and syncing takes most of a step.
        self.directory = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
        shutil.copy(self.template, self.directory / "ledger.db")
        self.ledger = Ledger(f"sqlite:///{self.directory / 'ledger.db'}")
        self.now = NOW
        self.workers: dict[str, Work] = {}
        self.submissions: list[tuple[Batch, Submission]] = []

    def teardown(self) -> None:
        """Remove the file."""
        self.ledger.close()
        shutil.rmtree(self.directory)

    @initialize()
    def begin(self) -> None:
        """Each tenant has sent something."""
        self.tenants = [a_tenant(self.ledger, firm) for firm in ("acme", "globex")]
        for tenant in (0, 1):
            self.submit(
                tenant=tenant, priority=Priority.LIVE, ids=["a", "b", "c"], quality="first", digest=tenant, size=2
            )

    @rule(
        tenant=st.integers(0, 1),
        priority=st.sampled_from(Priority),
        ids=st.lists(st.sampled_from("abcd"), min_size=1, max_size=3, unique=True),
        quality=st.sampled_from(["first", "other", "rejected"]),
        digest=st.integers(0, 40),
        size=st.integers(1, 2),
    )
    def submit(self, *, tenant: int, priority: Priority, ids: list[str], quality: str, digest: int, size: int) -> None:
        """A client sends something, and its `submission` run accepts it; the first item is of the given quality."""
        first = {
            "first": a_call(0, ids[0]),
            "other": a_call(0, ids[0], url=f"s3://other/{ids[0]}.wav"),
            "rejected": a_call(0, ids[0], problem="ROW_INVALID"),
        }[quality]
        submission = a_submission(
            first, *(a_call(n, name) for n, name in enumerate(ids[1:], start=1)), digest=str(digest)
        )
        batch = received(self.ledger, tenant=self.tenants[tenant], priority=priority, now=self.now)
        accept(self.ledger, batch, submission, shard_size=size, now=self.now)
        self.submissions.append((batch, submission))

    @rule(place=st.integers(0, 9))
    def accept_again(self, place: int) -> None:
        """A `submission` run is run again."""
        batch, submission = self.submissions[place % len(self.submissions)]
        assert accept(self.ledger, batch, submission, now=self.now).shards == ()

    @rule()
    def admit(self) -> None:
        """A sensor admits."""
        before = len(self.ledger.shards.admitted(now=self.now))
        launches = self.ledger.shards.admit(most_in_flight=LIMIT, now=self.now)
        assert len(launches) <= max(0, LIMIT - before)

    @rule(place=st.integers(0, 9), token=st.sampled_from(["one", "two"]))
    def claim(self, place: int, token: str) -> None:
        """A worker claims some shard, admitted or not, ended or not."""
        keys = [row.id for row in rows(self.ledger, shards)]
        if keys:
            key = keys[place % len(keys)]
            try:
                lease = Leases(self.ledger.database).claim(key, token=token, run_id=token, seconds=30, now=self.now)
            except LeaseLost:
                return
            self.workers[token] = Work(self.ledger.database, lease, token)

    @rule(
        token=st.sampled_from(["one", "two"]),
        place=st.integers(0, 3),
        error=st.sampled_from([None, AudioInvalid(), SourceUnavailable()]),
    )
    def work_on_one(self, token: str, place: int, error: CallError | None) -> None:
        """A worker takes a call of its shard and saves a result, or fails it, if it still may."""
        worker = self.workers.get(token)
        found = [call for call in worker.calls() if call.open] if worker else []
        if worker and found:
            call = found[place % len(found)]
            try:
                worker.take(call)
                if error is None:
                    worker.save(call, a_version(Stage.SCORES), {}, seconds=0.0)
                    worker.flush()
                else:
                    worker.fail(call, Stage.CALL_AUDIO, error)
            except LeaseLost:
                del self.workers[token]

    @rule(token=st.sampled_from(["one", "two"]), some=st.booleans())
    def end(self, token: str, some: bool) -> None:
        """A worker ends its shard, or only a part of its calls."""
        worker = self.workers.get(token)
        if worker:
            found: list[tuple[WorkCall, dict[str, object]]] = [(call, {}) for call in worker.calls() if call.open]
            try:
                worker.end(found[:1] if some else found)
            except LeaseLost:
                del self.workers[token]

    @rule(failing=st.booleans())
    def work_off(self, failing: bool) -> None:
        """A worker without mishap does all that nobody holds, or fails all of it."""
        leases = Leases(self.ledger.database)
        for row in rows(self.ledger, shards, shards.c.state != "ended", shards.c.lease_token.is_(None)):
            lease = leases.claim(row.id, token="steady", run_id="steady", seconds=30, now=self.now)
            worker = Work(self.ledger.database, lease, "steady")
            found = [call for call in worker.calls() if call.open]
            for call in found if failing else []:
                worker.fail(call, Stage.CALL_AUDIO, AudioInvalid())
            worker.end([] if failing else [(call, {}) for call in found])
            leases.release(lease)

    @rule(token=st.sampled_from(["one", "two"]), force=st.booleans())
    def reopen(self, token: str, force: bool) -> None:
        """A backfill over a shard that has ended."""
        worker = self.workers.get(token)
        if worker:
            try:
                worker.reopen(force=force)
            except LeaseLost:
                del self.workers[token]

    @rule(place=st.integers(0, 9))
    def retry(self, place: int) -> None:
        """A person retries a batch."""
        batch, _ = self.submissions[place % len(self.submissions)]
        self.ledger.batches.retry(batch.id, shard_size=2, now=self.now)

    @rule()
    def retry_passing(self) -> None:
        """The schedule retries what failed for a passing reason; the calls' ends are of today, not of NOW."""
        later = self.now + timedelta(days=3650)
        self.ledger.batches.retry_passing(limit=3, pause=timedelta(0), shard_size=2, now=later, most=3)

    @rule(place=st.integers(0, 9))
    def recover(self, place: int) -> None:
        """A sensor gives a shard up whose run is gone."""
        found = self.ledger.shards.admitted(now=self.now)
        if found:
            self.ledger.shards.recover(found[place % len(found)], now=self.now)

    @rule(seconds=st.sampled_from([1, 31, 600]))
    def wait(self, seconds: int) -> None:
        """Time passes; leases run out."""
        self.now += timedelta(seconds=seconds)

    @invariant()
    def sound(self) -> None:
        """All that must hold of a ledger."""
        assert_sound(self.ledger)

    @invariant()
    def views_agree(self) -> None:
        """A batch's counts add up to its calls, and its status follows from theirs."""
        for view in self.ledger.views.recent(limit=100):
            if view.state == "accepted":
                shown = [call.status for call in self.ledger.views.calls_of(view.id)]
                assert sum(view.counts.values()) == len(shown)
                assert view.status.terminal == all(CallStatus(status).terminal for status in shown)


def tell_stories(template: Path, *, stories: int, steps: int) -> None:
    """Run the machine; a deadline would only measure the disk."""
    LedgerStory.template = template
    chosen = settings(
        max_examples=stories,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(LedgerStory, settings=chosen)


def test_the_ledger_stays_sound_whatever_happens(migrated_file: Path) -> None:
    tell_stories(migrated_file, stories=15, steps=30)


@pytest.mark.slow
def test_the_ledger_stays_sound_over_many_long_stories(migrated_file: Path) -> None:
    tell_stories(migrated_file, stories=40, steps=50)
