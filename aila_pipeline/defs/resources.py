"""Resources: what assets, sensors and jobs are handed. Plain objects of the adapters, made from the settings.

Lives here: making and closing them. Does not: configuration values (settings.py); so no password shows in the UI.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any

import boto3
import dagster as dg
from dagster_aws.s3 import S3Resource

from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.objects import ObjectStore
from aila_pipeline.adapters.parent_watch import die_with_parent, supervised
from aila_pipeline.adapters.s3_client import CONFIG
from aila_pipeline.adapters.speech import Recogniser
from aila_pipeline.adapters.stores import open_store
from aila_pipeline.settings import Settings


class OurS3Resource(S3Resource):
    """dagster-aws's resource, whose client signs with version 4 and works with servers other than AWS."""

    def get_client(self) -> Any:
        """A client with this resource's place and credentials, and our store's options (adapters/s3_client.py)."""
        return _client(
            self.profile_name,
            region_name=self.region_name,
            endpoint_url=self.endpoint_url,
            use_ssl=self.use_ssl,
            verify=self.verify,
            aws_access_key_id=self.aws_access_key_id,
            aws_secret_access_key=self.aws_secret_access_key,
            aws_session_token=self.aws_session_token,
        )

    def get_object_to_set_on_execution_context(self) -> Any:
        """This resource itself: whoever needs no client pays for none."""
        return self


@cache
def _client(profile_name: str | None, **place: Any) -> Any:
    """One client per process and place: making one costs 0.2 s, and sensors tick every few seconds."""
    return boto3.session.Session(profile_name=profile_name).client("s3", config=CONFIG, **place)


def resources_for(settings: Settings) -> dict[str, object]:
    """All resources by the names under which assets ask for them."""

    @dg.resource(description="All AILA_* settings")
    def settings_resource(_context: dg.InitResourceContext) -> Settings:
        return settings

    @dg.resource(description="The ledger: SQLite or PostgreSQL")
    def ledger_resource(_context: dg.InitResourceContext) -> Iterator[Ledger]:
        if supervised():
            die_with_parent()
        ledger = Ledger(settings.ledger_url)
        try:
            yield ledger
        finally:
            ledger.close()

    @dg.resource(required_resource_keys={"s3"}, description="The object store: S3 or a directory")
    def store_resource(context: dg.InitResourceContext) -> ObjectStore:
        client = context.resources.s3.get_client() if settings.store_url.startswith("s3://") else None
        return open_store(settings.store_url, s3_client=client)

    @dg.resource(description="faster-whisper; the model is loaded on first use")
    def recogniser_resource(_context: dg.InitResourceContext) -> Recogniser:
        return Recogniser.from_settings(settings)

    return {
        "settings": settings_resource,
        "ledger": ledger_resource,
        "store": store_resource,
        "recogniser": recogniser_resource,
        # Endpoint, region and credentials: as boto3 finds them (AWS_ENDPOINT_URL_S3, AWS_PROFILE, an instance role …).
        "s3": OurS3Resource(),
    }
