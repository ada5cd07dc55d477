"""The client: the API as typed Python, for programs that submit calls.

    from aila_pipeline.client import Client

    with Client("https://aila.example", key) as client:
        batch_id = client.submit_pair(Path("metadata.csv"), Path("audios.zip"))
        batch = client.wait(batch_id)
        failed = [call for call in client.batch_calls(batch_id) if call.error]

Lives here: what others import. Does not: anything of the pipeline; this package knows the two contracts, httpx and the
error tree, nothing else.
"""

from aila_pipeline.client.answers import Batch, BatchCall, Call, CallFailure, Retried
from aila_pipeline.client.client import Client

__all__ = ["Batch", "BatchCall", "Call", "CallFailure", "Client", "Retried"]
