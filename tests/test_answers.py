"""Answers brought along: what can be meant is taken, what cannot is said before a run."""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.answers import LARGEST_SECRET, collect
from console.errors import BadUsage
from console.state import State

KINDS = {
    "job": "text",
    "pin": "secret",
    "image": "file",
    "erase": "confirm",
    "slot": "choice",
    "retry": "choice",
}
SECRET = "hunter2-the-pin"


@pytest.fixture
def collected(tmp_path):
    """collect() with a state directory, and with the TOML text given as a file."""
    state = State(tmp_path / "state")
    state.prepare()

    def run(*given_words: str, toml: str | None = None, stdin: bytes = b"") -> dict[str, str]:
        file = None
        if toml is not None:
            file = str(tmp_path / "answers.toml")
            Path(file).write_text(toml)
        return collect(given_words, file, KINDS, state, lambda: io.BytesIO(stdin))

    return run


def refused(collected, *given_words: str, toml: str | None = None) -> BadUsage:
    with pytest.raises(BadUsage) as caught:
        collected(*given_words, toml=toml)
    assert SECRET not in caught.value.sentence + caught.value.advice
    return caught.value


# --- on the command line --------------------------------------------------------------------


def test_answers_are_taken_as_they_are_written(collected):
    """Also with an equals sign in them, or empty."""
    assert {"job": "a=b", "slot": ""} == collected("job=a=b", "slot=")


def test_the_last_of_two_answers_counts(collected):
    """As with every option."""
    assert {"job": "2"} == collected("job=1", "job=2")


@pytest.mark.parametrize("word", ["job", "=x", "", "pin"])
def test_an_answer_without_its_value_is_said(collected, word):
    """With the way to write it."""
    assert "--answer ID=VALUE" in refused(collected, word).advice


def test_a_question_that_is_not_known_is_said_with_those_that_are(collected):
    """A typing error must not run without the answer."""
    error = refused(collected, "jb=5")

    assert "This flow has no question jb." == error.sentence
    assert "Its questions: erase, image, job, pin, retry, slot." == error.advice


def test_a_flow_that_asks_nothing_says_so(tmp_path):
    """Then there is none to name."""
    with pytest.raises(BadUsage) as caught:
        collect(["job=1"], None, {}, State(tmp_path), io.BytesIO)
    assert "Its questions: none." == caught.value.advice


def test_a_secret_on_the_command_line_is_refused_and_not_repeated(collected):
    """Everybody on the machine can read a command line."""
    error = refused(collected, f"pin={SECRET}")

    assert "may not stand on a command line" in error.sentence
    assert "{ file = 'PATH' }" in error.advice


# --- from a file ----------------------------------------------------------------------------


def test_every_plain_type_has_its_spelling(collected):
    """Truths are yes and no, numbers are digits."""
    toml = "[answers]\nerase = true\nretry = false\njob = 2243\nslot = 'left'\n"

    assert {"erase": "yes", "retry": "no", "job": "2243", "slot": "left"} == collected(toml=toml)


def test_the_command_line_goes_before_the_file(collected):
    """What was typed now is meant now."""
    assert {"job": "2"} == collected("job=2", toml="[answers]\njob = '1'\n")


@pytest.mark.parametrize("value", ["1.5", "[1]", "2026-05-04", "2026-05-04T09:00:00Z"])
def test_a_type_that_is_no_answer_is_said(collected, value):
    """A job number with a dot, or a list."""
    assert "The answer to job must be a text." == (
        refused(collected, toml=f"[answers]\njob = {value}\n").sentence
    )


@pytest.mark.parametrize(
    "value",
    [
        "{}",
        "{ path = 'x' }",
        "{ file = 5 }",
        "{ fd = '3' }",
        "{ fd = true }",
        "{ fd = false }",
        "{ fd = 3.0 }",
        "{ file = 'x', fd = 3 }",
    ],
)
def test_a_pointer_that_points_nowhere_is_said(collected, value):
    """With the two forms there are."""
    assert "must be { file = 'PATH' } or { fd = N }" in (
        refused(collected, toml=f"[answers]\npin = {value}\n").sentence
    )


@pytest.mark.parametrize("value", [f"'{SECRET}'", "123456", "true", f"['{SECRET}']"])
def test_a_secret_in_clear_in_the_file_is_refused_and_not_repeated(collected, value):
    """Answers files are kept, copied and sent around."""
    error = refused(collected, toml=f"[answers]\npin = {value}\n")

    assert "stands in clear in the answers file" in error.sentence
    assert "123456" not in error.sentence + error.advice


@pytest.mark.parametrize(
    ("content", "secret"),
    [
        (b"1234\n", "1234"),
        (b"1234\r\n", "1234"),
        (b"1234", "1234"),
        (b" 12 \n", " 12 "),
        ("g\u00e4nse\n".encode(), "g\u00e4nse"),
    ],
)
def test_a_secret_is_read_from_the_file_it_is_named_by(collected, tmp_path, content, secret):
    """Without the line end that an editor leaves, and with every other byte."""
    (tmp_path / "pin").write_bytes(content)

    assert {"pin": secret} == collected(toml=f"[answers]\npin = {{ file = '{tmp_path}/pin' }}\n")


def test_a_secret_is_read_from_an_open_descriptor_which_stays_open(collected):
    """For scripts that keep secrets off the disk."""
    reading, writing = os.pipe()
    os.write(writing, b"1234\n")
    os.close(writing)
    answers = collected(toml=f"[answers]\npin = {{ fd = {reading} }}\n")
    os.close(reading)

    assert {"pin": "1234"} == answers


@pytest.mark.parametrize("number", ["-1", "987654", "9" * 40])
def test_a_descriptor_that_is_not_open_is_said(collected, number):
    """Also one that no system could have."""
    assert f"The descriptor {number} for pin is not open." == (
        refused(collected, toml=f"[answers]\npin = {{ fd = {number} }}\n").sentence
    )


def test_a_secret_that_cannot_be_read_is_said(collected, tmp_path):
    """Not there, a folder, not text, too large, or a name with a zero in it."""
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    (tmp_path / "large").write_bytes(bytes(LARGEST_SECRET + 1))
    said = {
        name: refused(collected, toml=f'[answers]\npin = {{ file = "{where}" }}\n').sentence
        for name, where in {
            "gone": tmp_path / "gone",
            "folder": tmp_path,
            "binary": tmp_path / "binary",
            "large": tmp_path / "large",
            "zero": "a\\u0000b",
        }.items()
    }

    assert said == {
        "gone": "The file for pin cannot be read: No such file or directory.",
        "folder": "The file for pin cannot be read: Is a directory.",
        "binary": "What was read for pin is not text.",
        "large": f"What was read for pin is larger than {LARGEST_SECRET} bytes.",
        "zero": "The file for pin has a name that no file can have.",
    }


def test_a_secret_as_large_as_can_be_is_not_cut(collected, tmp_path):
    """A key in a file, to its last byte."""
    (tmp_path / "key").write_bytes(b"k" * LARGEST_SECRET)

    assert LARGEST_SECRET == len(
        collected(toml=f"[answers]\npin = {{ file = '{tmp_path}/key' }}\n")["pin"]
    )


@pytest.mark.parametrize(
    "toml", ["", "job = 1\n", "[answers]\n[more]\n", "answers = 5\n", "[[answers]]\njob = '1'\n"]
)
def test_a_file_without_its_one_table_is_said(collected, toml):
    """Nothing in it may be passed over in silence."""
    assert "must hold one table, [answers]." in refused(collected, toml=toml).sentence


def test_an_empty_table_brings_no_answers(collected):
    """It is one."""
    assert {} == collected(toml="[answers]\n")


@pytest.mark.parametrize("toml", [f"[answers]\npin = {SECRET}\n", "[answers", "x = = 1", "\x00"])
def test_what_is_not_toml_is_said_with_its_place_and_without_its_text(collected, toml):
    """The text could be a secret that lacks its quotes."""
    error = refused(collected, toml=toml)

    assert "is not TOML (" in error.sentence
    assert "at " in error.sentence


def test_a_file_that_is_not_text_or_not_there_is_said(tmp_path):
    """In words."""
    (tmp_path / "binary").write_bytes(b"[answers]\njob = '\xff'\n")
    for name, reason in {"binary": "is not TOML", "gone": "No such file or directory"}.items():
        with pytest.raises(BadUsage, match=reason):
            collect([], str(tmp_path / name), KINDS, State(tmp_path), io.BytesIO)


def test_an_unknown_question_in_the_file_is_said(collected):
    """As on the command line."""
    assert "This flow has no question jb." == refused(collected, toml="[answers]\njb=1\n").sentence


@settings(max_examples=60, deadline=None, database=None)
@given(st.text(max_size=40))
def test_no_text_at_all_makes_reading_fail_otherwise(tmp_path_factory, text):
    """Whatever the file holds, it is an answer or a refusal in words."""
    path = tmp_path_factory.mktemp("toml") / "answers.toml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        answers = collect([], str(path), KINDS, State(path.parent), io.BytesIO)
    except BadUsage as error:
        assert error.sentence
    else:
        assert set(answers) <= set(KINDS)


# --- files ----------------------------------------------------------------------------------


def test_a_relative_path_is_made_absolute(collected, tmp_path, monkeypatch):
    """The bench that opens it stands elsewhere."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/of-mine")

    assert {"image": str(tmp_path / "a.bin")} == collected("image=a.bin")
    assert {"image": "/home/of-mine/a.bin"} == collected("image=~/a.bin")
    assert {"image": "/b.bin"} == collected("image=/b.bin")
    assert {"image": ""} == collected("image=")


def test_a_file_may_be_named_by_either_form_in_the_answers_file(collected, tmp_path):
    """{ file = } of a question for a file is that file, not what stands in it."""
    (tmp_path / "image.bin").write_bytes(b"not a path")

    assert (
        {"image": f"{tmp_path}/image.bin"}
        == collected(toml=f"[answers]\nimage = '{tmp_path}/image.bin'\n")
        == collected(toml=f"[answers]\nimage = {{ file = '{tmp_path}/image.bin' }}\n")
    )


def test_a_home_that_nobody_has_is_said(collected):
    """Not a traceback."""
    assert "~nobody-of-that-name" in refused(collected, "image=~nobody-of-that-name/x").sentence


def test_standard_input_is_put_into_a_private_file(collected):
    """The bench cannot read this command's standard input."""
    data = bytes(range(256)) * 9
    path = Path(collected("image=-", stdin=data)["image"])

    assert data == path.read_bytes()
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)
    assert path.is_absolute()


def test_a_dash_is_a_dash_where_no_file_is_asked_for(collected):
    """Standard input is left alone."""
    assert {"job": "-"} == collected("job=-", stdin=b"not this")
