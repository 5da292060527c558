"""What an HTTP answer is held to: the language of `Expect`, without any network."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from monitor.model import FailureKind, Phases
from monitor.net.secret import Secret
from monitor.probes import jsonpath
from monitor.probes.assertions import Answer, Expect, broken, expects_status
from monitor.probes.http import BasicAuth, HttpOptions
from monitor.probes.patterns import pattern
from monitor.probes.text import decoded, excerpt, one_line, quoted

NOW = datetime(2029, 1, 1, tzinfo=UTC)


def as_is(text):
    return text


def without_hunter2(text):
    return text.replace("hunter2", "***")


def answer(body=b"", status=200, reason="OK", headers=(), elapsed=0.1):
    headers = httpx.Headers(list(headers))
    return Answer(status, reason, headers, body, elapsed, "HTTP/1.1", "", Phases(), None, NOW)


def messages(expect, seen, redact=as_is):
    return [each.message for each in broken(expect, seen, redact)]


# ------------------------------------------------------------------------ status


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_any_2xx_passes_by_default(status):
    assert messages(Expect(), answer(status=status)) == []


@pytest.mark.parametrize("status", [199, 300, 302, 404, 500])
def test_anything_else_fails_by_default(status):
    assert [each.kind for each in broken(Expect(), answer(status=status), as_is)] == [
        FailureKind.STATUS
    ]


def test_an_explicit_list_replaces_the_default():
    only_404 = Expect(status=(404,))
    assert messages(only_404, answer(status=404)) == []
    assert messages(only_404, answer(status=200)) == ["status 200 OK (expected 404)"]


def test_codes_and_ranges_mix():
    expect = Expect(status=("200-204", 301, "503"))
    expected = [code for code in range(100, 600) if expects_status(expect, code)]
    assert expected == [200, 201, 202, 203, 204, 301, 503]


def test_a_wrong_status_shows_what_came_and_what_was_expected():
    seen = answer(status=503, reason="Service Unavailable")
    assert messages(Expect(), seen) == ["status 503 Service Unavailable (expected 200-299)"]


def test_a_reason_phrase_cannot_break_the_line_or_colour_a_terminal():
    seen = answer(status=500, reason="a\r\nb \x1b[31m \u202ec")
    (message,) = messages(Expect(), seen)
    assert message.isprintable()


# ------------------------------------------------------------------------ body


def test_body_texts_are_each_told_when_missing_or_present():
    expect = Expect(body_contains=("Sign in", "Prospect"), body_lacks=("error",))
    assert messages(expect, answer(b"Prospect: an error")) == [
        'body lacks "Sign in"',
        'body contains "error"',
    ]
    assert messages(expect, answer(b"Sign in to Prospect")) == []


def test_body_expressions_are_searched_anywhere():
    expect = Expect(body_matches=(r"order \d+ accepted", r"(?i)THANK YOU"))
    assert messages(expect, answer(b"<p>order 17 accepted, thank you</p>")) == []
    assert messages(expect, answer(b"thank you")) == [r'body does not match "order \d+ accepted"']


def test_an_expression_that_explodes_elsewhere_takes_linear_time_here():
    hostile = answer(b"a" * 200_000)
    assert messages(Expect(body_matches=("(a+)+b",)), hostile) == ['body does not match "(a+)+b"']


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/html", "Größe".encode()),
        ("text/html; charset=UTF-8", b"\xef\xbb\xbf" + "Größe".encode()),
        ("text/html; charset=iso-8859-1", "Größe".encode("latin-1")),
        ('text/html; charset="windows-1252"; x=y', "Größe".encode("cp1252")),
        ("text/html;charset=utf-16le", "Größe".encode("utf-16-le")),
    ],
)
def test_the_charset_of_the_content_type_is_used(content_type, body):
    seen = answer(body, headers=[("Content-Type", content_type)])
    assert messages(Expect(body_contains=("Größe",), body_matches=("^Größe$",)), seen) == []


@pytest.mark.parametrize("charset", ["zlib", "punycode", "rot13", "idna", "hex", "no-such", ""])
def test_a_codec_that_is_no_charset_is_read_as_utf_8(charset):
    assert decoded(b"plain \xff", f"text/plain; charset={charset}") == "plain \ufffd"


# ------------------------------------------------------------------------ headers and time


def test_a_header_passes_when_any_of_its_values_matches_whatever_its_case():
    expect = Expect(headers={"X-Backend": "^blue-"})
    seen = answer(headers=[("x-backend", "green-1"), ("X-BACKEND", "blue-2")])
    assert messages(expect, seen) == []


def test_a_header_that_differs_or_is_missing_is_shown():
    expect = Expect(headers={"Content-Type": "^application/json", "X-Backend": "."})
    assert messages(expect, answer(headers=[("content-type", "text/html")])) == [
        'header Content-Type (text/html) does not match "^application/json"',
        'header X-Backend (missing) does not match "."',
    ]


def test_a_late_answer_is_slow_and_one_just_in_time_is_not():
    assert messages(Expect(within=1.5), answer(elapsed=1.5)) == []
    (late,) = broken(Expect(within=1.5), answer(elapsed=1.75), as_is)
    assert late.kind is FailureKind.SLOW
    assert late.message == "answered after 1.750 s (expected within 1.5 s)"


def test_everything_broken_is_told_and_the_status_comes_first():
    expect = Expect(body_contains=("ok",), json=("$.a exists",), headers={"a": "b"}, within=0.01)
    found = broken(expect, answer(b"no", status=500, reason="Oops"), as_is)
    assert [each.kind.value for each in found] == ["status", "body", "body", "body", "slow"]


# ------------------------------------------------------------------------ JSON conditions

DOCUMENT = {
    "status": "ok",
    "waiting": 3,
    "load": 0.5,
    "spelled": "12.5",
    "word": "n/a",
    "nothing": None,
    "yes": True,
    "value": [{"id": 7, "@odata.id": "x"}, {"id": 8}, None],
    "nodes": {"a": {"up": True}, "b": {"up": False}},
    "empty": [],
    "odd name": {'quo"te': 1},
}


@pytest.mark.parametrize(
    "condition",
    [
        '$.status == "ok"',
        '$.status=="ok"',
        '  $.status != "down"  ',
        "$.waiting == 3",
        "$.waiting == 3.0",
        "$.waiting < 10",
        "$.waiting <= 3",
        "$.waiting >= 3",
        "$.load > 0.25",
        "$.load != 1",
        "$.spelled > 12",
        "$.nothing == null",
        "$.nothing exists",
        "$.yes == true",
        "$.value[0].id exists",
        "$.value[-2].id == 8",
        '$.value[0]["@odata.id"] == "x"',
        "$.value[*].id == 8",
        "$.nodes[*].up == false",
        "length($.value) == 3",
        "length($.empty) == 0",
        "length($.nodes) >= 2",
        "length($.status) == 2",
        "length($) > 5",
        '$["odd name"]["quo\\"te"] == 1',
    ],
)
def test_a_condition_holds(condition):
    assert jsonpath.parse(condition).broken(DOCUMENT, as_is) is None


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ('$.status == "down"', '$.status (ok) == "down"'),
        ('$.state == "ok"', '$.state (missing) == "ok"'),
        ('$.state != "ok"', '$.state (missing) != "ok"'),
        ("$.state exists", "$.state (missing) exists"),
        ("$.value[7].id exists", "$.value[7].id (missing) exists"),
        ("$.nothing.deeper exists", "$.nothing.deeper (missing) exists"),
        ("$.status[0] exists", "$.status[0] (missing) exists"),
        ("$.waiting < 3", "$.waiting (3) < 3"),
        ("$.word < 10", "$.word (n/a) < 10"),
        ("$.word != 0", "$.word (n/a) != 0"),
        ("$.nothing < 1", "$.nothing (null) < 1"),
        ("$.yes == 1", "$.yes (true) == 1"),
        ("$.empty < 1", "$.empty (an array of 0) < 1"),
        ("$.empty == null", "$.empty (an array of 0) == null"),
        ('$.waiting == "3"', '$.waiting (3) == "3"'),
        ("$.value[*].id == 9", "$.value[*].id (7, 8) == 9"),
        ("$.value[*] == 1", "$.value[*] (an object of 2, an object of 1, null) == 1"),
        ("$.empty[*] exists", "$.empty[*] (missing) exists"),
        ("length($.waiting) > 0", "length($.waiting) (missing) > 0"),
        ("length($.value) < 3", "length($.value) (3) < 3"),
    ],
)
def test_a_broken_condition_shows_the_value_found(condition, message):
    assert jsonpath.parse(condition).broken(DOCUMENT, as_is) == message


def test_many_values_found_are_cut_short():
    document = {"n": list(range(50))}
    message = jsonpath.parse("$.n[*] > 100").broken(document, as_is)
    assert message == "$.n[*] (0, 1, 2, …) > 100"


@pytest.mark.parametrize(
    ("condition", "why"),
    [
        ("", "a path begins with $"),
        ("status == 1", "a path begins with $"),
        ("$.a", "expected == != < <= > >= =~ !~ in with a value, or exists, after $.a"),
        ("$.a = 1", "expected == != < <= > >= =~ !~ in with a value, or exists, after $.a"),
        ("$.a existsnot", "expected == != < <= > >= =~ !~ in with a value, or exists, after $.a"),
        ("$.aexists exists exists", "or exists, after $.aexists"),
        ("$..a exists", "cannot read the path from ..a exists"),
        ("$.a[ exists", "cannot read the path from [ exists"),
        ("$.a[1:2] exists", "cannot read the path from [1:2] exists"),
        ('$["\\x"] exists', "is not a JSON string"),
        ("$.a == ok", "ok is not a JSON string (in double quotes), number, true, false or null"),
        ("$.a == 'ok'", "'ok' is not a JSON string (in double quotes)"),
        ("$.a == NaN", "NaN is not a JSON string (in double quotes), number"),
        ("$.a == [1]", "[1] is not a JSON string (in double quotes), number"),
        ('$.a < "b"', '< needs a number, not "b"'),
        ("$.a >= true", ">= needs a number, not true"),
        ("length($.a > 1", "expected ) after length($.a"),
    ],
)
def test_a_condition_that_makes_no_sense_is_refused(condition, why):
    with pytest.raises(ValueError, match="JSON condition") as caught:
        jsonpath.parse(condition)
    assert why in str(caught.value)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "Expecting value"),
        (b"<html>", "Expecting value"),
        (b'{"a": NaN}', "NaN is not a JSON number"),
        (b"[" * 100_000, "nested too deep"),
        (b'{"a": ' + b"9" * 10_000 + b"}", "4300"),
        (b"\xff\xfe\xfd", "decode"),
    ],
)
def test_a_body_that_is_no_json_fails_once_and_says_why(body, why):
    (found,) = broken(Expect(json=("$.a == 1", "$.b exists")), answer(body), as_is)
    assert found.kind is FailureKind.BODY
    assert found.message.startswith("body is not JSON (")
    assert why in found.message


def test_a_lone_surrogate_in_json_is_shown_without_an_error():
    message = messages(Expect(json=('$.a == "b"',)), answer(b'{"a": "\\ud800"}'))
    assert message == ['$.a (?) == "b"']


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(document=JSON, sign=st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), limit=st.integers())
def test_any_document_is_answered_for_any_comparison(document, sign, limit):
    condition = jsonpath.parse(f"$[*] {sign} {limit}")
    message = condition.broken(json.loads(json.dumps(document)), as_is)
    assert message is None or message.isprintable()


@given(number=st.integers() | st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_equals_itself_written_as_a_literal(number):
    assert jsonpath.parse(f"$ == {json.dumps(number)}").broken(number, as_is) is None


@given(name=st.text())
def test_every_name_can_be_written(name):
    path = f"$[{json.dumps(name)}] exists"
    assert jsonpath.parse(path).broken({name: 1}, as_is) is None


# ------------------------------------------------------------------------ mistakes


@pytest.mark.parametrize(
    ("fields", "mistake"),
    [
        ({"status": ("20x",)}, 'status: "20x" is neither a status such as 204 nor a range'),
        ({"status": ("299-200",)}, 'status: "299-200" is neither'),
        ({"status": (99,)}, 'status: "99" is neither'),
        ({"status": (True,)}, 'status: "True" is neither'),
        ({"status": ()}, "status: name at least one"),
        ({"body_matches": ("(",)}, 'body_matches: regular expression "(": missing )'),
        ({"body_matches": (r"(a)\1",)}, "body_matches: regular expression"),
        ({"body_contains": ("",)}, "body_contains: an empty text is in every body"),
        ({"body_lacks": ("",)}, "body_lacks: an empty text is in every body"),
        ({"json": ("$.a",)}, "json: JSON condition `$.a`: expected =="),
        ({"headers": {"a": "["}}, 'headers: regular expression "["'),
        ({"within": 0.0}, "within: must be more than 0 seconds"),
        ({"within": float("nan")}, "within: must be more than 0 seconds"),
    ],
)
def test_an_expectation_that_makes_no_sense_is_refused(fields, mistake):
    with pytest.raises(ValueError, match=re.escape(mistake)):
        Expect(**fields)


def test_all_mistakes_of_an_expectation_are_told_at_once():
    with pytest.raises(ValueError, match=r"status: .*; body_matches: .*; json: "):
        Expect(status=("x",), body_matches=("(",), json=("y",))


@pytest.mark.parametrize(
    ("fields", "mistake"),
    [
        ({"url": "ftp://example.test/"}, "url: must begin with http:// or https://"),
        ({"url": "http://a b/"}, "url: must begin with http:// or https:// and hold no spaces"),
        ({"url": "http://me:secret@example.test/"}, "url: credentials do not belong in a URL"),
        ({"method": "get"}, 'method: "get" is no HTTP method'),
        ({"method": "GET /x"}, 'method: "GET /x" is no HTTP method'),
        ({"headers": {"a b": "c"}}, 'headers: "a b" is no header name'),
        ({"headers": {"a": "b\r\nc: d"}}, "headers: a holds a line break"),
        ({"bearer": Secret("x"), "basic": BasicAuth("u", Secret("p"))}, "bearer and basic: give"),
        ({"bearer": Secret("x"), "headers": {"Authorization": "y"}}, "in one way only"),
        ({"locked_out": ("(",)}, "locked_out: regular expression"),
        ({"outage_bodies": ("(",)}, "outage_bodies: regular expression"),
        ({"maintenance_pages": ("(",)}, "maintenance_pages: regular expression"),
    ],
)
def test_options_that_make_no_sense_are_refused(fields, mistake):
    with pytest.raises(ValueError, match=re.escape(mistake)):
        HttpOptions(**{"url": "http://example.test/", **fields})


def test_a_refusal_never_shows_a_secret():
    with pytest.raises(ValueError, match="bearer and basic") as caught:
        HttpOptions("http://h/", bearer=Secret("hunter2"), basic=BasicAuth("u", Secret("hunter2")))
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("url", ["HTTPS://h/", "http://127.0.0.1:1/{tenant}/x?a=b", "{site}/x"])
def test_a_url_may_be_a_template_in_any_case_of_scheme(url):
    assert HttpOptions(url).url == url


def test_pydantic_makes_options_of_a_plain_mapping():
    made = TypeAdapter(HttpOptions).validate_python(
        {
            "url": "https://{site}/sign-in",
            "bearer": Secret("x"),
            "locked_out": ["captcha"],
            "expect": {"status": [200, "300-302"], "json": ["$.a exists"], "headers": {"a": "b"}},
        }
    )
    assert made == HttpOptions(
        "https://{site}/sign-in",
        bearer=Secret("x"),
        locked_out=("captcha",),
        expect=Expect(status=(200, "300-302"), json=("$.a exists",), headers={"a": "b"}),
    )


def test_pydantic_reports_a_mistake_inside_expect_where_it_is():
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(HttpOptions).validate_python({"url": "http://h/", "expect": {"json": ["$"]}})
    (error,) = caught.value.errors()
    assert error["loc"] == ("expect",)
    assert "json: JSON condition `$`" in error["msg"]


def test_equal_options_show_equal_text_before_and_after_use():
    one, other = (
        HttpOptions("http://h/", bearer=Secret("x")),
        HttpOptions("http://h/", bearer=Secret("x")),
    )
    before = repr(one)
    assert one.request_headers["authorization"] == "Bearer x"
    assert repr(one) == before == repr(other)
    assert one == other


def test_an_expression_is_compiled_once():
    assert pattern("a.c") is pattern("a.c")
    assert jsonpath.parse("$.a exists") is jsonpath.parse("$.a exists")


# ------------------------------------------------------------------------ text for people


def test_a_secret_cut_by_the_end_of_an_excerpt_is_gone():
    text = "x" * 95 + "hunter2" + "y" * 100
    shown = excerpt(text, 100, without_hunter2)
    assert shown == "x" * 95 + "***yy"


def test_a_secret_cut_by_the_end_of_a_quoted_value_is_gone():
    value = "x" * 116 + "hunter2" + "y" * 100
    assert quoted(value, without_hunter2) == "x" * 116 + "***…"


def test_a_secret_in_a_value_found_is_gone():
    (message,) = messages(
        Expect(json=('$.t == "a"',)), answer(b'{"t": "hunter2"}'), without_hunter2
    )
    assert message == '$.t (***) == "a"'


@given(text=st.text(), size=st.integers(0, 50))
def test_an_excerpt_is_within_its_size_and_safe_to_store(text, size):
    shown = excerpt(text, size, as_is)
    assert len(shown.encode()) <= size
    assert all(line.isprintable() for line in shown.split("\n"))


def test_an_excerpt_keeps_lines_and_drops_what_is_not_text():
    assert excerpt("a\r\nb\tc\x00d\u202ee\x1b[0m", 100, as_is) == "a\nb c�d�e�[0m"


def test_one_line_is_one_line():
    assert one_line(" a\nb\u2028c\x07 ") == "a b c�"


def test_the_same_text_is_quoted_by_each_redactor_in_its_own_way():
    assert quoted("token hunter2", without_hunter2) == "token ***"
    assert quoted("token hunter2", str) == "token hunter2"
    assert quoted("token hunter2", without_hunter2) == "token ***"


@pytest.mark.parametrize("content_type", ["text/html", "text/html; charset=utf-8"])
def test_a_byte_order_mark_is_no_text_where_it_begins_a_body_and_only_there(content_type):
    mark = b"\xef\xbb\xbf"
    assert decoded(mark + b"a" + mark + b"b\xff", content_type) == "a\ufeffb\ufffd"
