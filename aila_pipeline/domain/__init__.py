"""Rules only: nothing here knows Dagster, databases, object stores, codecs, models or HTTP."""
