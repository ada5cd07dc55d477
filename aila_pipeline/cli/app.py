"""The commands with their options and help: what `aila --help` shows.

Lives here: names, options, one paragraph of help each. Does not: what a command does. That is imported when it runs,
because Dagster, SQLAlchemy and pandas take seconds to load and `aila --help` must not.
"""

# ruff: noqa: PLC0415 - see above

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aila_pipeline.cli.access_commands import keys, tenants, users
from aila_pipeline.cli.checklist_commands import checklists
from aila_pipeline.cli.delivery_commands import destinations, outbox
from aila_pipeline.cli.options import BatchId, Country, Files, Firm, Home, Json, Timeout, Wait, group

_ABOUT = "Bulk phone calls in, transcripts, insights and quality scores out. Start with `aila demo`."

app = group(_ABOUT)
app.add_typer(keys, name="keys")
app.add_typer(tenants, name="tenants")
app.add_typer(users, name="users")
app.add_typer(checklists, name="checklists")
app.add_typer(destinations, name="destinations")
app.add_typer(outbox, name="outbox")


@app.callback()
def _all(
    debug: Annotated[bool, typer.Option("--debug", help="Show the stack trace of an error (or AILA_DEBUG=1).")] = False,
) -> None:
    """Bulk phone calls in, transcripts, insights and quality scores out. Start with `aila demo`."""
    # `main` looks for --debug by itself: it has to know before anything is parsed.
    _ = debug


@app.command()
def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Keep the home, to look around in it.")] = False,
) -> int:
    """The whole way on sample calls, in a throw-away home.

    Takes a minute or two. The reports are left in .aila-demo/ of the current directory.
    """
    from aila_pipeline.cli.demo import run_demo

    return run_demo(keep=keep)


@app.command()
def up(
    home: Home = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of the API; 0 takes a free one.")] = 8000,
    dagster_port: Annotated[int, typer.Option(min=0, max=65535, help="Of Dagster's pages; 0 takes a free one.")] = 3000,
) -> int:
    """Start everything in the foreground.

    Prints `ready api=URL dagster=URL` once it works. Ctrl-C or SIGTERM stops all that it started.
    """
    from aila_pipeline.cli.up import run_up

    return run_up(home, api_port=port, dagster_port=dagster_port)


@app.command()
def api(
    home: Home = None,
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Where it listens; 0.0.0.0: everywhere.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8000,
) -> int:
    """The API alone, in the foreground.

    For where Dagster runs elsewhere; AILA_DAGSTER_URL says where. Ctrl-C or SIGTERM stops it.
    """
    from aila_pipeline.cli.api import run_api

    return run_api(home, host, port)


@app.command()
def db(
    home: Home = None,
    check: Annotated[bool, typer.Option("--check", help="Change nothing; exit 1 if it is not current.")] = False,
) -> int:
    """Bring the ledger's schema to the newest version."""
    from aila_pipeline.cli.up import migrate

    return migrate(home, check=check)


@app.command()
def submit(
    files: Files,
    *,
    api: Annotated[
        str | None, typer.Option(metavar="URL", help="Where it answers. [AILA_API_URL, or what `aila up` noted]")
    ] = None,
    key: Annotated[str | None, typer.Option(envvar="AILA_API_KEY", metavar="KEY", help="From `aila keys create`.")] = (
        None
    ),
    home: Home = None,
    wait: Wait = False,
    timeout: Timeout = None,
    as_json: Json = False,
) -> int:
    """Send a CSV and a ZIP, or a JSON list, through the API.

    With --wait the exit code tells the outcome: 0 completed, 3 partial, 4 failed.
    """
    from aila_pipeline.cli.submit import submit_files

    return submit_files(files, home=home, api=api, key=key, wait=wait, timeout=timeout, as_json=as_json)


@app.command()
def drop(
    files: Files,
    *,
    country: Country,
    firm: Firm,
    home: Home = None,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="What to call the batch. [file name and time]")
    ] = None,
    wait: Wait = False,
    timeout: Timeout = None,
    as_json: Json = False,
) -> int:
    """Put a CSV and a ZIP, or a JSON manifest, into the drop zone.

    With --wait the exit code tells the outcome: 0 completed, 3 partial, 4 failed.
    """
    from aila_pipeline.cli.drop import drop_files

    return drop_files(
        files, country=country, firm=firm, home=home, name=name, wait=wait, timeout=timeout, as_json=as_json
    )


@app.command()
def check(
    files: Files,
    *,
    country: Annotated[
        str | None, typer.Option(envvar="AILA_COUNTRY", metavar="XX", help="Check by this tenant's")
    ] = None,
    firm: Annotated[
        str | None, typer.Option(envvar="AILA_FIRM", metavar="NAME", help="settings, if there are any.")
    ] = None,
    home: Home = None,
    rejects: Annotated[Path, typer.Option(metavar="FILE", help="Where rejected rows go, if any.")] = Path(
        "rejects.csv"
    ),
    quick: Annotated[bool, typer.Option("--quick", help="Do not decode the audio.")] = False,
    as_json: Json = False,
) -> int:
    """Dry run: what would fail, and why.

    Also how much audio it is and how long it would take. Submits nothing, needs no ledger.

    Exit code: 0 nothing would fail, 3 some calls would, 4 all of them or the submission as a whole.
    """
    from aila_pipeline.cli.check import check_files

    return check_files(files, home=home, country=country, firm=firm, rejects=rejects, quick=quick, as_json=as_json)


@app.command()
def status(
    batch_id: Annotated[str | None, typer.Argument(metavar="[BATCH_ID]", show_default=False)] = None,
    home: Home = None,
    limit: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="Rows to show, 0 for all. [20 batches, 200 calls]")
    ] = None,
    as_json: Json = False,
) -> int:
    """The newest batches, or one with its calls.

    Without BATCH_ID also what waits in the drop zone.

    With a BATCH_ID the exit code tells its status: 3 partial, 4 failed, else 0.
    """
    from aila_pipeline.cli.status import show_batch, show_batches

    if batch_id is None:
        return show_batches(home, limit=limit, as_json=as_json)
    return show_batch(home, batch_id, limit=limit, as_json=as_json)


@app.command()
def retry(batch_id: BatchId, home: Home = None) -> int:
    """Try the failed calls of a batch again."""
    from aila_pipeline.cli.retry import retry_batch

    return retry_batch(home, batch_id)


@app.command()
def trace(
    call_id: Annotated[str, typer.Argument(metavar="CALL_ID", show_default=False)],
    home: Home = None,
    transcript: Annotated[bool, typer.Option("--transcript", help="Print what was said, too.")] = False,
    as_json: Json = False,
) -> int:
    """One call's whole story.

    Received, waited, each attempt and stage, links to its runs, and what was found.
    """
    from aila_pipeline.cli.story import show_call

    return show_call(home, call_id, transcript=transcript, as_json=as_json)


@app.command()
def report(
    batch_id: BatchId,
    home: Home = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write it here instead.")
    ] = None,
) -> int:
    """Write a batch's report anew, print where it is."""
    from aila_pipeline.cli.report import write

    return write(home, batch_id, output)


@app.command()
def verify(
    home: Home = None,
    repair: Annotated[bool, typer.Option("--repair", help="Mend what can be mended.")] = False,
    as_json: Json = False,
) -> int:
    """Hold ledger, Dagster and objects against each other.

    Exit code: 0 when they agree (or do after --repair), 1 when something is left.
    """
    from aila_pipeline.cli.verify import verify_home

    return verify_home(home, repair=repair, as_json=as_json)
