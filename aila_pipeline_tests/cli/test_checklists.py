"""`aila checklists`: a broken file is told with its line and changes nothing; what is activated says what is stale."""

from __future__ import annotations

from pathlib import Path

import pytest

from aila_pipeline.adapters.directory_store import DirectoryStore
from aila_pipeline.adapters.ledger import Ledger
from aila_pipeline.adapters.rescoring import rescore
from aila_pipeline.demo import CHECKLISTS
from aila_pipeline_tests.adapters.ledger.builders import NOW
from aila_pipeline_tests.adapters.ledger.completed import an_analysis, completed, yaml_of
from aila_pipeline_tests.cli.conftest import Aila

TENANT = ("--country", "kz", "--firm", "acme")


@pytest.fixture
def acme(home: Path, ledger: Ledger) -> Path:
    """A home with the tenant in it."""
    ledger.tenants.ensure("kz", "acme")
    return home


def a_file(text: str, name: str = "sales.yaml") -> Path:
    """In the directory in which commands run."""
    path = Path(name).absolute()
    path.write_text(text, "utf-8")
    return path


def imported(aila: Aila, home: Path, name: str, version: int = 1, *options: str, phrase: str = "hello") -> None:
    said = aila("checklists", "import", a_file(yaml_of(name, version, phrase=phrase)), *options, "--home", home)
    assert said.code == 0, said.err


def test_a_checklist_is_imported_activated_listed_and_shown(aila: Aila, acme: Path) -> None:
    said = aila("checklists", "import", a_file("# mine\n" + yaml_of("sales")), *TENANT, "--home", acme)
    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines() == [
        "sales version 1 is imported, for kz/acme",
        "`aila checklists activate sales --version 1` lets it score calls",
    ]
    activated = aila("checklists", "activate", "sales", *TENANT, "--home", acme)
    assert activated.out.splitlines() == ["sales version 1 scores sales of kz/acme from now on", "no score is stale"]
    (header, line) = aila("checklists", "list", "--home", acme).out.splitlines()
    assert header.split() == ["TENANT", "ID", "VERSION", "ITEMS", "SCORES", "IMPORTED"]
    assert line.split()[:5] == ["kz/acme", "sales", "1", "1", "sales"]
    shown = aila("checklists", "show", "sales", "--home", acme)
    assert shown.out == "# mine\n" + yaml_of("sales")
    assert shown.err == "sales version 1 of kz/acme scores sales\n"


def test_with_json_each_command_prints_one_document(aila: Aila, acme: Path) -> None:
    file = a_file(yaml_of("sales"))
    checked = aila("checklists", "check", file, "--json").json
    assert (checked["id"], checked["version"], checked["items"], checked["questions"]) == ("sales", "1", 1, 0)
    options = ("--json", *TENANT, "--home", acme)
    assert aila("checklists", "import", file, "--activate", *options).json == checked | {
        "tenant": "kz/acme",
        "imported": True,
        "active_for": ["sales"],
        "stale_scores": 0,
        "stale_days": [],
    }
    (listed,) = aila("checklists", "list", *options).json
    assert (listed["tenant"], listed["id"], listed["active_for"]) == ("kz/acme", "sales", ["sales"])
    shown = aila("checklists", "show", "sales", *options).json
    assert shown["document"]["items"][0]["any_of"] == ["good morning"]
    activated = aila("checklists", "activate", "sales", "--segment", "*", *options).json
    assert activated["active_for"] == ["*"]
    assert aila("checklists", "deactivate", "sales", *options).json["inactive_for"] == ["*", "sales"]


def test_a_broken_checklist_is_refused_with_line_and_reason_and_the_active_one_stays(aila: Aila, acme: Path) -> None:
    imported(aila, acme, "sales", 1, "--activate")
    broken = a_file(yaml_of("sales", 2).replace("any_of", "anyof"), "broken.yaml")
    before = aila("checklists", "list", "--json", "--home", acme).json
    for command in (("check", broken), ("import", broken, "--activate", "--home", acme)):
        said = aila("checklists", *command)
        assert said.code == 2
        assert said.error.startswith("error: the checklist cannot be used: broken.yaml, line 6: ")
        assert "broken.yaml, line 9: items[1].anyof: there is no such key here" in said.error
    assert aila("checklists", "list", "--json", "--home", acme).json == before


def test_a_changed_checklist_needs_a_new_version(aila: Aila, acme: Path) -> None:
    imported(aila, acme, "sales", 1, "--activate")
    again = aila("checklists", "import", a_file(yaml_of("sales", phrase="hello")), "--home", acme)
    assert (again.code, again.out.splitlines()[0]) == (
        0,
        "sales version 1 was imported before, word for word, for kz/acme",
    )
    said = aila("checklists", "import", a_file(yaml_of("sales", phrase="good day")), "--home", acme)
    assert said.code == 2
    assert said.error == (
        "error: this version was imported before and asks something else: sales version 1; "
        "give the changed checklist a new `version`"
    )


def test_activating_tells_how_many_scores_are_stale_and_what_makes_them_again(
    aila: Aila, acme: Path, ledger: Ledger
) -> None:
    """Of the tenant's three calls, two are of the segment; another tenant's calls are not counted."""
    store = DirectoryStore(acme / "objects")
    for firm, segments in (("acme", ["sales", "sales", "support"]), ("bolt", ["sales"])):
        completed(ledger, store, ledger.tenants.ensure("kz", firm), segments)
    files = Path("files").absolute()
    files.mkdir()
    analysis = an_analysis(ledger, store, a_file(yaml_of("rest", segments=["*"]), "files/rest.yaml").read_text("utf-8"))
    rescore(ledger, analysis, first=NOW.date(), last=NOW.date(), run_id="run", tell=lambda _line: None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AILA_CHECKLISTS", str(files))
        said = aila("checklists", "import", a_file(yaml_of("sales")), *TENANT, "--activate", "--home", acme)
        gone = aila("checklists", "deactivate", "sales", *TENANT, "--home", acme)
    assert said.out.splitlines()[-2:] == [
        "2 scores of 2026-01-15 are stale now: the schedule `rescore_of_stale` makes them again",
        "at 02:00 UTC, a backfill of the asset `rescored` over these days does it at once",
    ]
    assert gone.out.splitlines() == ["sales scores sales of kz/acme no more", "no score is stale"]


def test_another_version_of_it_that_is_still_active_is_told(aila: Aila, acme: Path) -> None:
    imported(aila, acme, "sales", 1)
    aila("checklists", "activate", "sales", "--segment", "sales", "--segment", "Upsell", "--home", acme)
    imported(aila, acme, "sales", 2, phrase="hi")
    said = aila("checklists", "activate", "sales", "--version", "2", "--home", acme)
    assert said.out.splitlines()[:2] == [
        "sales version 2 scores sales of kz/acme from now on",
        "its version 1 still scores upsell",
    ]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("activate", "support"), "the tenant has no such checklist: none has this id"),
        (("activate", "sales", "--version", "7"), "the tenant has no such checklist: no version of it has this name"),
        (("show", "support"), "the tenant has no such checklist"),
        (("deactivate", "support"), "the tenant has no such checklist"),
        (("activate", "sales", "--segment", " "), "a segment has 1 to 200 letters"),
        (("show", "sales", "--country", "kz"), "--country and --firm belong together"),
        (("show", "sales", "--country", "kz", "--firm", "bolt"), "there is no tenant kz/bolt"),
        (("check", "nowhere.yaml"), "there is no file nowhere.yaml"),
    ],
)
def test_what_is_not_there_is_told(aila: Aila, acme: Path, arguments: tuple[str, ...], told: str) -> None:
    imported(aila, acme, "sales")
    said = aila("checklists", *arguments, *(() if arguments[0] == "check" else ("--home", acme)))
    assert said.code == 2
    assert told in said.error


def test_what_is_not_active_cannot_be_deactivated(aila: Aila, acme: Path) -> None:
    imported(aila, acme, "sales")
    said = aila("checklists", "deactivate", "sales", "--home", acme)
    assert (said.code, said.error) == (
        1,
        "error: sales was not active there; `aila checklists list` shows what is",
    )


def test_with_several_tenants_one_must_be_named(aila: Aila, acme: Path, ledger: Ledger) -> None:
    ledger.tenants.ensure("kz", "bolt")
    said = aila("checklists", "import", a_file(yaml_of("sales")), "--home", acme)
    assert said.code == 2
    assert "there are 2 tenants: name one by --country and --firm" in said.error


def test_a_file_that_is_no_text_is_told_with_its_line(aila: Aila) -> None:
    file = Path("bad.yaml").absolute()
    file.write_bytes(b"id: sales\ntitle: \xff\n")
    assert "bad.yaml, line 2: not UTF-8" in aila("checklists", "check", file).error


def test_a_segment_without_activation_is_a_mistake(aila: Aila, acme: Path) -> None:
    said = aila("checklists", "import", a_file(yaml_of("sales")), "--segment", "sales", "--home", acme)
    assert said.code == 2
    assert "--segment says for what to --activate it" in said.error


def test_an_empty_list_says_what_scores_calls(aila: Aila, home: Path) -> None:
    assert "none is imported; the files in" in aila("checklists", "list", "--home", home).out


def test_the_files_that_ship_are_well(aila: Aila) -> None:

    for path in CHECKLISTS.glob("*.yaml"):
        assert aila("checklists", "check", path).code == 0
