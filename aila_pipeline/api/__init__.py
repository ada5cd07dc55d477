"""The HTTP API: both contracts, thinly.

Lives here: requests and answers. Does not: rules (domain), the ledger, the store, Dagster (adapters); nothing here
knows how a call is worked on.
"""
