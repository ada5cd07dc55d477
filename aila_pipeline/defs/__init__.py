"""The only code that defines Dagster objects."""

import warnings

import dagster as dg

# Backfill policies are "beta" in Dagster's words; saying so at every start of every process helps nobody.
warnings.filterwarnings("ignore", category=dg.BetaWarning)
