"""Uploads that lie in the store: the drop zone leaves them alone, and what nobody needs any more is removed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from aila_pipeline.adapters.drop_zone import DropZone
from aila_pipeline.adapters.expired_uploads import remove_expired, remove_stray_copies
from aila_pipeline.adapters.ledger.records import Accepted
from aila_pipeline.adapters.ledger.tables import uploads
from aila_pipeline_tests.api.conftest import Site
from aila_pipeline_tests.api.test_pairs import AUDIOS, GOOD, uploaded
from aila_pipeline_tests.api.test_pairs_taken_in import (
    OTHER_AUDIOS,
    codes,
    in_a_week,
    look,
    objects,
    submitted,
    taken,
)
from aila_pipeline_tests.domain.intake.builders import a_csv, a_row
from aila_pipeline_tests.end_to_end.test_intake_crashes import Fragile, Fuse, Killed


@pytest.fixture
def everywhere(site: Site) -> Site:
    """Uploads in every state before their run: nothing put, half put, both put, submitted."""
    uploaded(site, None, None)
    uploaded(site, GOOD, None)
    uploaded(site, None, AUDIOS)
    uploaded(site)
    submitted(site)
    return site


def test_the_drop_zone_leaves_uploads_alone_before_and_after_step_3(everywhere: Site) -> None:
    before = objects(everywhere)
    assert look(everywhere) == []
    assert objects(everywhere) == before
    assert DropZone(everywhere.store, everywhere.settings).look(everywhere.ledger, in_a_week()) == []


def test_a_drop_in_the_root_is_still_one(everywhere: Site) -> None:
    for name, content in (("a.csv", GOOD), ("a.zip", AUDIOS)):
        everywhere.store.write(f"kz/acme/january/{name}", content)
    (batch_id,) = look(everywhere)
    batch = everywhere.ledger.batches.get(batch_id)
    assert batch is not None
    assert (batch.name, batch.door) == ("january", "drop-zone")


def test_leftovers_of_an_upload_are_removed_once_its_batch_is_done(site: Site) -> None:
    upload, batch_id = submitted(site)
    store: Any = Fragile(site.store, Fuse(6, after=False))
    with pytest.raises(Killed):
        taken(site, batch_id, store)
    assert objects(site, "kz/") != []
    assert look(site) == [batch_id]
    assert objects(site, "kz/") == []
    site.store.write(upload.audios_key, OTHER_AUDIOS)
    assert look(site) == []
    assert objects(site, "kz/") == [upload.audios_key]


def test_expired_uploads_are_removed_but_for_those_that_wait_for_their_run(everywhere: Site) -> None:
    site = everywhere
    upload, done = submitted(site, a_csv(a_row("two.wav")))
    taken(site, done)
    site.store.write(upload.audios_key, OTHER_AUDIOS)
    assert remove_expired(site.ledger, site.store, datetime.now(UTC)) == 0
    assert remove_expired(site.ledger, site.store, in_a_week()) == 5
    (waiting,) = site.ledger.batches.received(now=in_a_week(), most=10)
    left = objects(site, "kz/")
    assert [key.rpartition("/")[2] for key in left] == ["audios.zip", "metadata.csv"]
    taken(site, waiting.key)
    assert codes(site, waiting.key) == [None, None]
    assert remove_expired(site.ledger, site.store, in_a_week()) == 1
    assert objects(site, "kz/") == []
    assert site.ledger.database.read(lambda connection: connection.execute(sa.select(uploads)).all()) == []


def test_a_stray_copy_of_a_forgotten_upload_is_removed_after_a_day(site: Site) -> None:
    _, batch_id = submitted(site)
    (copy,) = objects(site, "_aila/uploads/")
    stray = "_aila/uploads/00000000-0000-0000-0000-000000000000/1.csv"
    site.store.write(stray, GOOD)
    remove_stray_copies(site.ledger, site.store, datetime.now(UTC))
    assert objects(site, "_aila/uploads/") == [stray, copy]
    remove_stray_copies(site.ledger, site.store, in_a_week())
    assert objects(site, "_aila/uploads/") == [copy]
    assert isinstance(taken(site, batch_id), Accepted)
