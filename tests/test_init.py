"""`monitor init`: what it asks, refuses, probes and writes; and that what it wrote can be used."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from monitor.cli import app
from monitor.cli.beginning import title_of
from monitor.config import load

ROOT = Path(__file__).parent.parent
LOOPBACK = ("--allow-private", "127.0.0.0/8")
NOT_WATCHED = ("--crm", "", "--sites", "", "--website", "", "--orders", "")
SECOND = 5


def page(title):
    return 200, f"<!doctype html><html><head><title>{title}</title></head>hello</html>"


class Site:
    """A server of a few pages, where a 302 leads to its text; everything else is a 404.

    `asked` are the paths it was asked for.
    """

    def __init__(self, pages):
        self.pages, self.asked, self.port = pages, [], 0

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{path}"


@contextlib.contextmanager
def serving(pages):
    site = Site(pages)

    class Serving(BaseHTTPRequestHandler):
        def do_GET(self):
            site.asked.append(self.path)
            status, text, *reason = site.pages.get(self.path, (404, "no such page"))
            self.send_response(status, *reason)
            if status == 302:
                self.send_header("Location", text)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_arguments):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Serving) as server:
        site.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield site
        server.shutdown()
        thread.join()


@pytest.fixture
def site():
    pages = {
        "/sign-in": page("Sign in to CRM"),
        "/": page("Sites"),
        "/shop": page("Shop"),
        "/acme/": page("Acme's own"),
        "/bolt/": page("Bolt's own"),
        "/orders": (200, "{}"),
        "/broken": (503, "<title>Sorry</title>"),
        "/login": (401, "<title>Who are you</title>"),
    }
    with serving(pages) as made:
        yield made


@pytest.fixture
def file(tmp_path):
    return tmp_path / "checks.yaml"


def monitor(*arguments, environ=None):
    """(exit code, standard output, standard error) of a command, without a terminal."""
    words = [str(argument) for argument in arguments]
    done = CliRunner(env=environ).invoke(app, words)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout, done.stderr


def init(file, *arguments, environ=None):
    given = {each for each in arguments if str(each).startswith("--")}
    left_out = [
        each
        for option in ("--crm", "--sites", "--website", "--orders")
        if option not in given
        for each in (option, "")
    ]
    return monitor("init", "--output", file, *left_out, *arguments, environ=environ)


def checks(config):
    return {
        f"{service.name}/{check.name}": check
        for service in config.estate.services
        for check in service.checks
    }


# --------------------------------------------------------------------------- what it writes


def test_it_writes_what_was_given_and_the_file_passes_check_config(site, file):
    code, out, err = monitor(
        *("init", "--output", file, *LOOPBACK),
        *("--crm", site.url("/sign-in"), "--sites", site.url("/")),
        *("--website", site.url("/shop"), "--orders", site.url("/orders")),
    )
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].startswith("crm/sign-in: PASS 200 in 0.")
    assert lines[0].endswith(f's: {site.url("/sign-in")} "Sign in to CRM"')
    assert [line.partition(":")[0] for line in lines[1:4]] == [
        "sites/home",
        "website/home",
        "orders/intake",
    ]
    assert sorted(site.asked) == ["/", "/orders", "/shop", "/sign-in"]
    code, out, _ = monitor("check-config", file)
    assert code == 0
    assert "4 services, 4 checks" in out


def test_the_title_of_the_page_is_expected_of_it(site, file):
    init(file, *LOOPBACK, "--crm", site.url("/sign-in"), "--orders", site.url("/orders"))
    found = checks(load(file, {}))
    assert found["crm/sign-in"].options.expect.body_contains == ("Sign in to CRM",)
    assert found["orders/intake"].options.expect.body_contains == ()
    code, out, _ = monitor("probe", "crm/sign-in", "--config", file)
    assert (code, " passed after " in out) == (0, True)
    site.pages["/sign-in"] = page("Down for maintenance")
    assert monitor("probe", "crm/sign-in", "--config", file)[0] == 1


def test_every_part_is_explained_and_no_line_is_long(site, file):
    init(file, *LOOPBACK, "--crm", site.url("/sign-in"))
    lines = file.read_text().splitlines()
    comments = [line for line in lines if line.lstrip().startswith("#")]
    for word in ("Private networks", "vantages:", "controls:", "need: degrading", "secret:"):
        assert any(word in line for line in comments), word
    assert max(map(len, lines)) <= 100


def test_only_the_services_that_were_given_are_in_it(site, file):
    init(file, *LOOPBACK, "--website", site.url("/shop"))
    assert [each.name for each in load(file, {}).estate.services] == ["website"]


def test_tenants_fill_the_place_in_the_url(site, file):
    code, out, _ = init(
        file, *LOOPBACK, "--sites", site.url("/{tenant}/"), "--tenant", "acme", "--tenant", "bolt"
    )
    assert code == 0
    assert sorted(site.asked) == ["/acme/", "/bolt/"]
    assert [line.partition(":")[0] for line in out.splitlines()[:2]] == [
        "sites/home/acme",
        "sites/home/bolt",
    ]
    (check,) = checks(load(file, {})).values()
    assert [target.address for target in check.targets] == [
        site.url("/acme/"),
        site.url("/bolt/"),
    ]


def test_titles_that_differ_from_tenant_to_tenant_are_not_expected(site, file):
    tenants = ("--tenant", "acme", "--tenant", "bolt")
    init(file, *LOOPBACK, "--sites", site.url("/{tenant}/"), *tenants)
    assert checks(load(file, {}))["sites/home"].options.expect.body_contains == ()
    site.pages["/bolt/"] = site.pages["/acme/"]
    init(file, *LOOPBACK, "--sites", site.url("/{tenant}/"), *tenants, "--force")
    assert checks(load(file, {}))["sites/home"].options.expect.body_contains == ("Acme's own",)


NASTY = [
    'a "quoted" one',
    "it's",
    "key: value # no comment",
    "- item",
    "yes",
    "017",
    "1_000",
    "null",
    "a \\ b",
    "{flow} [flow]",
    "*alias &anchor !tag",
    "${TOKEN} $${x} ${",
    "Größe — «x» 日本",
    "%percent",
    "@at `tick`",
    "x" * 60,
]


@pytest.mark.parametrize("title", NASTY)
def test_whatever_a_title_holds_it_is_expected_letter_by_letter(file, title):
    with serving({"/": page(title)}) as site:
        code, _, err = init(file, *LOOPBACK, "--crm", site.url("/"))
    assert (code, err) == (0, "")
    assert checks(load(file, {}))["crm/sign-in"].options.expect.body_contains == (title,)


@pytest.mark.parametrize(
    "text",
    [
        "<title></title>",
        "<title>  </title>",
        "no title",
        "<title>never closed",
        "<title>two\nlines</title>",
        "<title>bell\x07</title>",
        "<title>\u202eright to left</title>",
        f"<title>{'x' * 61}</title>",
        "<titles>plural</titles>",
    ],
)
def test_a_title_that_is_missing_long_or_unprintable_is_not_taken(text):
    assert title_of(text) == ""


def test_a_title_is_found_however_its_tag_is_written():
    assert title_of('<TITLE lang="en">\n  Sign in \n</TITLE >') == "Sign in"


# --------------------------------------------------------------------------- probes that fail


def test_a_probe_that_fails_is_told_and_noted_and_prevents_nothing(site, file):
    code, out, _ = init(
        file, *LOOPBACK, "--crm", site.url("/broken"), "--orders", "http://127.0.0.1:1/"
    )
    assert code == 0
    crm, orders, *closing = out.splitlines()
    assert crm.startswith("crm/sign-in: FAIL (status) in ")
    assert "status 503" in crm
    assert orders.startswith("orders/intake: FAIL (connect) in ")
    assert orders.endswith("connection refused")
    assert "2 of 2 probes did not pass: it was written all the same." in closing
    comments = [line.strip() for line in file.read_text().splitlines() if "did not pass" in line]
    assert [("status 503" in each, "refused" in each) for each in comments] == [
        (True, False),
        (False, True),
    ]
    assert checks(load(file, {}))["crm/sign-in"].options.expect.body_contains == ()


def test_a_page_that_turns_the_monitor_away_is_told_so(site, file):
    code, out, _ = init(file, *LOOPBACK, "--crm", site.url("/login"))
    assert code == 0
    assert "crm/sign-in: BLOCKED" in out
    assert "BLOCKED on " in file.read_text()


def test_what_a_server_says_cannot_leave_its_comment(site, file):
    site.pages["/"] = (500, "", "x\x85listen: 0.0.0.0:1\x0b")
    init(file, *LOOPBACK, "--crm", site.url("/"))
    assert "status 500 x?listen: 0.0.0.0:1?" in file.read_text()
    assert load(file, {}).listen_host == "127.0.0.1"


# --------------------------------------------------------------------------- what it refuses


def test_without_a_terminal_every_service_nobody_spoke_of_is_named(file):
    code, out, err = monitor("init", "--output", file, "--crm", "https://crm.example.com/")
    assert (code, out) == (2, "")
    assert err.splitlines() == [
        f"--{each}: is missing: give its URL, or --{each} '' to leave it out"
        for each in ("sites", "website", "orders")
    ]
    assert not file.exists()


def test_at_least_one_service_is_needed(file):
    code, _, err = monitor("init", "--output", file, *NOT_WATCHED)
    assert code == 2
    assert "all are left out: give the URL of at least one" in err


def test_all_mistakes_are_told_at_once_before_anything_is_probed(site, file):
    code, out, err = monitor(
        *("init", "--output", file),
        *("--crm", site.url("/sign-in"), "--sites", "ftp://one.example.com/"),
        *("--website", "https://me:pw@one.example.com/", "--orders", "https://{site}/"),
        *("--tenant", "Acme", "--tenant", "bolt", "--tenant", "bolt", "--tenant", "shared"),
        *("--control", "https://one.example.com/{tenant}", "--control", "https://${UNSET}/"),
        *("--pager-url", "nonsense", "--allow-private", "10.0.0.1/8"),
    )
    assert (code, out) == (2, "")
    assert err.splitlines() == [
        "--allow-private: `10.0.0.1/8` is no network: write 10.0.0.0/8 or fd00::/8",
        "--tenant: no URL holds {tenant}: write it where the tenant's name belongs",
        "--tenant: `Acme` is no name: use a-z, 0-9 and -, at most 63, beginning with a-z or 0-9",
        "--tenant: `bolt` is given twice: name it once",
        "--tenant: `shared` is what all tenants share: give another name",
        "--crm: 127.0.0.1 is a loopback address; if it is meant, add --allow-private 127.0.0.0/8",
        "--sites: must begin with http:// or https://",
        "--website: holds a user or password: give them as `basic:` or `bearer:`",
        "--orders: holds {site}: only {tenant} can be filled here; write others in the file",
        "--control: holds {tenant}: it is one place, whoever the tenant is",
        "--control: variable UNSET is not set: set it, or write ${UNSET:-default}",
        "--pager-url: must begin with http:// or https://",
        "--control: names too few places: give none, or at least three",
    ]
    assert site.asked == []
    assert not file.exists()


@pytest.mark.parametrize(
    ("url", "remedy"),
    [
        ("http://10.1.2.3/", "--allow-private 10.0.0.0/8"),
        ("http://192.168.1.1:81/x", "--allow-private 192.168.0.0/16"),
        ("http://[fd00::1]/", "--allow-private fc00::/7"),
        ("http://localhost/", "--allow-private 127.0.0.0/8"),
        ("http://[::1]/", "--allow-private ::1/128"),
        ("http://[::ffff:10.0.0.1]/", "--allow-private 10.0.0.0/8"),
        ("http://[::ffff:7f00:1]/", "--allow-private 127.0.0.0/8"),
    ],
)
def test_a_private_address_is_refused_with_the_option_that_allows_it(file, url, remedy):
    code, _, err = init(file, "--crm", url)
    assert code == 2
    assert err.rstrip().endswith(remedy)


def test_a_url_for_tenants_needs_tenants(file):
    code, _, err = init(file, "--crm", "https://one.example.com/{tenant}/")
    assert code == 2
    assert err.startswith("--tenant: is missing: ")


def test_a_variable_may_not_bring_a_place_for_something_else(file):
    code, _, err = init(file, "--crm", "https://${HOST}/", environ={"HOST": "{site}.example.com"})
    assert code == 2
    assert err.startswith("--crm: holds {site}: ")


def test_a_private_address_that_is_met_on_the_way_is_told_with_the_remedy(site, file):
    site.pages["/"] = (302, "http://10.1.2.3/")
    code, out, _ = init(file, "--crm", site.url("/"), *LOOPBACK)
    assert code == 0
    (line,) = (line for line in out.splitlines() if line.startswith("crm/sign-in: FAIL (connect)"))
    assert line.endswith("if it is meant, add --allow-private 10.0.0.0/8")
    assert "add --allow-private 10.0.0.0/8" in file.read_text()


def test_a_file_that_is_there_is_kept_unless_forced(site, file):
    file.write_text("mine\n")
    code, _, err = init(file, *LOOPBACK, "--crm", site.url("/sign-in"))
    assert (code, file.read_text(), site.asked) == (2, "mine\n", [])
    assert "--force" in err
    assert init(file, *LOOPBACK, "--crm", site.url("/sign-in"), "--force")[0] == 0
    assert load(file, {}).estate.services[0].name == "crm"


def test_nothing_but_the_file_is_left_in_the_folder(site, file):
    init(file, *LOOPBACK, "--crm", site.url("/sign-in"))
    assert [each.name for each in file.parent.iterdir()] == ["checks.yaml"]


def test_a_folder_that_is_not_there_is_said_before_anything_is_probed(site, tmp_path):
    output = tmp_path / "none" / "checks.yaml"
    code, _, err = init(output, *LOOPBACK, "--crm", site.url("/sign-in"))
    assert (code, site.asked) == (2, [])
    assert "its folder is not there" in err


# --------------------------------------------------------------------------- controls and channels


def test_three_controls_are_written_and_probed(site, file):
    places = [each for path in ("/", "/shop", "/orders") for each in ("--control", site.url(path))]
    code, out, _ = init(file, *LOOPBACK, "--crm", site.url("/sign-in"), *places)
    assert code == 0
    assert sorted(site.asked) == ["/", "/orders", "/shop", "/sign-in"]
    assert "control/control-3: PASS 200" in out
    config = load(file, {})
    assert [each.name for each in config.estate.controls] == [f"control-{i}" for i in (1, 2, 3)]
    assert not any("no controls" in warning for warning in config.warnings)


def test_without_controls_an_example_stands_in_the_file_that_can_be_used(site, file):
    init(file, *LOOPBACK, "--crm", site.url("/sign-in"))
    lines = file.read_text().splitlines()
    start = lines.index("# controls:")
    used = [line.removeprefix("# ") for line in lines[start : start + 4]]
    file.write_text("\n".join([*lines[:start], *used, *lines[start + 4 :]]))
    assert len(load(file, {}).estate.controls) == 3


def test_the_example_of_vantages_can_be_used(site, file):
    init(file, *LOOPBACK, "--crm", site.url("/sign-in"))
    lines = file.read_text().splitlines()
    start = lines.index("# vantages:")
    used = [line.removeprefix("# ") for line in lines[start : start + 3]]
    file.write_text("\n".join([*lines[:start], *used, *lines[start + 3 :]]))
    assert len({each.network for each in load(file, {}).estate.vantages}) == 2


def test_a_pager_is_signed_with_a_secret_that_stays_in_the_environment(site, file):
    environ = {"PAGER_SECRET": "wJ7-very-secret"}
    asked = (*LOOPBACK, "--crm", site.url("/sign-in"), "--pager-url", "https://p.example.com/x")
    code, out, _ = init(file, *asked, environ=environ)
    assert code == 0
    assert "secret: ${PAGER_SECRET}" in file.read_text()
    assert "wJ7-very-secret" not in file.read_text() + out
    assert "PAGER_SECRET is not set" not in out
    channels = {each.name: each.kind for each in load(file, environ).channels}
    assert channels == {"pager": "webhook", "desk": "log"}
    assert monitor("check-config", file, environ=environ)[0] == 0


@pytest.mark.parametrize("secret", [None, ""])
def test_a_pager_whose_secret_is_not_set_yet_is_written_and_told(site, file, secret):
    asked = (*LOOPBACK, "--crm", site.url("/sign-in"), "--pager-url", "https://p.example.com/x")
    code, out, _ = init(file, *asked, environ={"PAGER_SECRET": secret})
    assert code == 0
    assert "PAGER_SECRET is not set" in out
    assert load(file, {"PAGER_SECRET": "x"}).channels


def test_a_variable_in_a_url_stays_one_and_its_value_is_not_shown(site, file):
    key = "k3y-nobody-sees"
    site.pages[f"/sign-in?key={key}"] = page(f"Hello {key}")
    code, out, err = init(
        *(file, *LOOPBACK, "--crm", site.url("/sign-in?key=${KEY}")), environ={"KEY": key}
    )
    assert (code, err) == (0, "")
    assert site.asked == [f"/sign-in?key={key}"]
    assert "?key=${KEY}" in file.read_text()
    assert key not in file.read_text() + out


# --------------------------------------------------------------------------- people and programs


def test_as_json_it_is_one_value(site, file):
    code, out, _ = init(file, *LOOPBACK, "--crm", site.url("/sign-in"), "--json")
    assert code == 0
    told = json.loads(out)
    assert told["file"] == str(file)
    (probe,) = told["probes"]
    assert (probe["outcome"], probe["status"]) == ("pass", 200)
    assert (probe["address"], probe["title"]) == (site.url("/sign-in"), "Sign in to CRM")


def at_a_terminal(file, typed, *arguments):
    """(exit code, standard output, questions) with a person who types these lines."""
    ours, theirs = pty.openpty()
    with open(ours, "wb", buffering=0) as keys:  # noqa: PTH123 - a descriptor
        words = [sys.executable, "-m", "monitor", "init", "--output", str(file), *arguments]
        with subprocess.Popen(
            words, cwd=ROOT, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            os.close(theirs)
            keys.write("".join(f"{line}\n" for line in typed).encode())
            out, err = process.communicate(timeout=20 * SECOND)
    return process.returncode, out, err


def test_at_a_terminal_it_asks_for_what_is_missing(site, file):
    typed = [site.url("/{tenant}/"), "", site.url("/orders"), "acme, bolt"]
    code, out, questions = at_a_terminal(file, typed, *LOOPBACK, "--crm", site.url("/sign-in"))
    assert code == 0, questions
    assert "sign-in page" not in questions
    for word in ("Sites", "website", "ERP", "{tenant}"):
        assert word in questions
    assert "sites/home/bolt: PASS" in out
    assert list(checks(load(file, {}))) == ["crm/sign-in", "sites/home", "orders/intake"]
