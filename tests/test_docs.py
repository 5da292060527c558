"""The documents hold to the code, and what is shipped holds what it needs."""

from __future__ import annotations

import os
import re
import runpy
import shlex
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import typer.main

from monitor import __version__
from monitor.channels import CHANNELS
from monitor.channels.document import (
    ErrorDocument,
    IncidentDocument,
    NoticeDocument,
    ReportDocument,
)
from monitor.cli import FINE, MISTAKEN, NOT_WELL, app
from monitor.cli.reporting import COLUMNS
from monitor.config import load
from monitor.web.figure_shapes import (
    AvailabilityShape,
    FiguresShape,
    PromisesShape,
    ResponsesShape,
    SpreadShape,
)

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text()
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))
SHIPPED = [ROOT / "Dockerfile", ROOT / ".ci" / "run", ROOT / "Makefile", ROOT / "checks.yaml"]
HEADINGS = ["Context", "Decision", "Consequences", "What would change our mind"]
COMMANDS = typer.main.get_command(app).commands

EXAMPLE_HOST = re.compile(r"127\.\d+\.\d+\.\d+|localhost|([\w{}-]+\.)*example(\.com)?|\{\w+\}")
OPENS_A_STORE = """
import asyncio, sys, monitor
from monitor.clock import real_clock
from monitor.store import open_store

async def once():
    store = await open_store(sys.argv[1], clock=real_clock(), holder="a test")
    await store.close()

asyncio.run(once())
print(monitor.__file__)
"""


def page_name(page):
    return str(page.relative_to(ROOT))


def first_cells(page):
    """The first cell of every table row."""
    return re.findall(r"^\| *([^|]*?) *\|", page, re.MULTILINE)


# --------------------------------------------------------------------------- README


def test_the_readme_lists_every_command_and_no_other():
    named = [re.match(r"`monitor ([a-z-]+)", cell) for cell in first_cells(README)]
    assert [match[1] for match in named if match] == list(COMMANDS)


def test_the_readme_names_every_option():
    options = {
        option
        for command in (typer.main.get_command(app), *COMMANDS.values())
        for parameter in command.params
        for option in parameter.opts
        if option.startswith("--")
    }
    named = set(re.findall(r"(?<=[ `])--[a-z-]+", README))
    assert options - named - {"--help"} == set()


def test_the_readme_explains_every_exit_code():
    codes = [int(cell) for cell in first_cells(README) if cell.isdigit()]
    assert codes == [FINE, NOT_WELL, MISTAKEN]


def test_the_minimal_configuration_of_the_readme_is_small_and_loads_without_a_warning(tmp_path):
    (block,) = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    file = tmp_path / "checks.yaml"
    file.write_text(block)
    config = load(file, {"PAGER_SECRET": "not so secret"})
    assert config.warnings == ()
    assert [check.name for check in config.estate.services[0].checks] == ["sign-in", "site"]
    assert len(block.splitlines()) <= 25


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_every_make_target_that_is_named_exists(page):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = re.findall(r"(?:`|^|\s)make ([a-z-]+)(?=`| CONFIG=|\s+#|\n)", page.read_text())
    assert set(named) <= targets


# --------------------------------------------------------------------------- every page


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_every_relative_link_leads_somewhere(page):
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text())
    relative = [link for link in links if "://" not in link]
    assert [link for link in relative if not (page.parent / link).exists()] == []


def test_pictures_are_small_and_shown_somewhere():
    pictures = sorted((ROOT / "docs" / "pictures").iterdir())
    shown = "".join(page.read_text() for page in PAGES)
    assert [each.name for each in pictures if each.stat().st_size > 200_000] == []
    assert [each.name for each in pictures if f"pictures/{each.name}" not in shown] == []


@pytest.mark.parametrize("page", [*PAGES, *SHIPPED], ids=page_name)
def test_no_page_names_another_host_than_an_example(page):
    hosts = re.findall(r"https?://(?:[^/\s@]*@)?([\w.{}-]+)", page.read_text())
    assert [host for host in hosts if not EXAMPLE_HOST.fullmatch(host)] == []


# --------------------------------------------------------------------------- architecture


def test_the_architecture_is_under_150_lines():
    assert len(ARCHITECTURE.splitlines()) < 150


def test_the_code_map_has_every_module_once():
    mapped = [cell.strip("`/") for cell in first_cells(ARCHITECTURE) if re.match(r"`\w+[/.]", cell)]
    modules = {path.name for path in (ROOT / "monitor").iterdir() if path.name[0] not in "_."}
    assert sorted(mapped) == sorted(modules)


def test_the_layers_are_those_of_the_import_contract():
    (block,) = [b for b in re.findall(r"```\n(.*?)```", ARCHITECTURE, re.DOTALL) if "cli ->" in b]
    told = [layer.strip() for layer in block.split("->")]
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers = next(c["layers"] for c in contracts["contracts"] if c["type"] == "layers")
    assert told == [layer for layer in layers if layer != "__main__"]


# --------------------------------------------------------------------------- figures


def test_every_column_and_key_of_the_figures_is_explained():
    page = (ROOT / "docs" / "figures.md").read_text()
    shapes = (FiguresShape, AvailabilityShape, PromisesShape, ResponsesShape, SpreadShape)
    keys = {key for shape in shapes for key in shape.model_fields}
    assert {name for name in {*COLUMNS, *keys} if f"`{name}`" not in page} == set()
    (listed,) = re.findall(r"^`month`, .*?`sha256`\.$", page, re.MULTILINE | re.DOTALL)
    assert re.findall(r"`(\w+)`", listed) == list(COLUMNS)


# --------------------------------------------------------------------------- decisions, and more


def test_every_kind_of_channel_has_a_page_and_no_other():
    pages = {page.stem for page in (ROOT / "docs" / "channels").glob("*.md")}
    # A line of the log is what a webhook posts, and is told of there.
    assert pages == set(CHANNELS) - {"log"}


def test_every_key_of_the_document_that_is_posted_is_explained():
    page = (ROOT / "docs" / "channels" / "webhook.md").read_text()
    documents = (NoticeDocument, IncidentDocument, ErrorDocument, ReportDocument)
    keys = {key for document in documents for key in document.__annotations__}
    assert sorted(key for key in keys if f"`{key}`" not in page) == []


def test_decisions_are_numbered_without_a_gap():
    assert [int(page.name[:4]) for page in DECISIONS] == list(range(1, len(DECISIONS) + 1))
    assert len(DECISIONS) >= 7


@pytest.mark.parametrize("page", DECISIONS, ids=page_name)
def test_a_decision_has_its_four_headings_on_one_page(page):
    text = page.read_text()
    assert text.startswith(f"# {page.name[:4]}: ")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == HEADINGS
    assert len(text.splitlines()) <= 60


def test_the_drawing_of_the_lifecycle_is_current():
    script = runpy.run_path(str(ROOT / "docs" / "draw_lifecycle.py"))
    assert script["PAGE"].read_text() == script["drawn"](), "run docs/draw_lifecycle.py"


def test_the_changelog_knows_the_version():
    assert re.search(
        rf"^## .*\b{re.escape(__version__)}\b", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE
    )


# --------------------------------------------------------------------------- the image


@pytest.fixture(scope="module")
def stages():
    """The stages of the Dockerfile, each a list of (instruction, rest of its line)."""
    lines = (ROOT / "Dockerfile").read_text().replace("\\\n", " ").splitlines()
    told = [line.split(maxsplit=1) for line in lines if line.strip() and line[0] != "#"]
    begins = [n for n, (word, _) in enumerate(told) if word == "FROM"]
    ends = [*begins[1:], len(told)]
    return [told[begin:end] for begin, end in zip(begins, ends, strict=True)]


def last(stage, word):
    return [rest for instruction, rest in stage if instruction == word][-1]


def test_the_image_is_built_in_two_stages_and_keeps_only_the_environment(stages):
    _, runtime = stages
    copied = [rest for word, rest in runtime if word == "COPY"]
    assert copied == ["--from=build /opt/monitor /opt/monitor"]


def test_the_image_runs_without_rights(stages):
    user = last(stages[-1], "USER")
    assert user.isdigit()
    assert int(user) > 0


def test_the_image_works_where_it_may_write_and_writes_no_bytecode(stages):
    runtime = stages[-1]
    assert last(runtime, "WORKDIR") == last(runtime, "VOLUME") == "/data"
    assert "PYTHONDONTWRITEBYTECODE=1" in last(runtime, "ENV")


def test_the_image_says_whether_it_is_healthy_with_what_it_has(stages):
    asked = last(stages[-1], "HEALTHCHECK")
    assert "/healthz" in asked
    assert '"python"' in asked


def test_the_image_takes_only_hashed_dependencies(stages):
    installs = [rest for word, rest in stages[0] if word == "RUN" and "pip install" in rest]
    assert all("--require-hashes" in rest or "--no-index" in rest for rest in installs)


def test_the_image_starts_the_monitor_with_options_that_exist(stages):
    command = re.findall(r'"([^"]+)"', last(stages[-1], "CMD"))
    assert last(stages[-1], "ENTRYPOINT") == '["monitor"]'
    assert command[1] in {option for each in COMMANDS[command[0]].params for option in each.opts}


def test_what_the_image_copies_is_let_through(stages):
    let_through = (ROOT / ".dockerignore").read_text().splitlines()
    sources = [
        source.removeprefix("./")
        for word, rest in stages[0]
        if word == "COPY"
        for source in shlex.split(rest)[:-1]
    ]
    assert [source for source in sources if f"!{source}" not in let_through] == []


# --------------------------------------------------------------------------- the wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from this checkout."""
    place = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(place)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (built,) = place.glob("*.whl")
    return built


def test_the_wheel_has_every_file_of_the_package(wheel):
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if name.startswith("monitor/")}
    present = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "monitor").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert packed == present
    kinds = {name.rsplit(".", 1)[-1] for name in packed}
    assert {"py", "html", "css", "yaml"} <= kinds


def test_a_store_is_made_from_the_wheel_alone(wheel, tmp_path):
    unpacked = tmp_path / "unpacked"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(unpacked)
    made = subprocess.run(
        [sys.executable, "-c", OPENS_A_STORE, f"sqlite:///{tmp_path}/monitor.db"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(unpacked)},
        check=True,
        capture_output=True,
        text=True,
    )
    assert Path(made.stdout.strip()).is_relative_to(unpacked)


# --------------------------------------------------------------------------- continuous integration


def test_continuous_integration_runs_what_the_readme_says():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", str(script)], check=True)
    assert script.read_text().rstrip().endswith("make test")
    assert "\nmake test " in README
