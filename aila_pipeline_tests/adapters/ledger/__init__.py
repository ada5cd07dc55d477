"""Tests of the ledger. Each runs on SQLite, and on PostgreSQL where `AILA_TEST_DATABASE_URL` names one."""
