"""The job sheet: everything that a modem would refuse or store wrongly, refused on the host."""

from __future__ import annotations

import hashlib

import pytest

from console.errors import GateClosed
from console.families.nrf91.at import Way
from console.families.nrf91.sheet import MOST, Item, Sheet, require_passable
from console.families.nrf91.simulator_contents import certificate_pem, private_pem, psk
from console.families.nrf91.store import Entry, Type
from tests.families.nrf91.modem_bench import CONTENTS, LOST, sheet

CERT, KEY = CONTENTS[3, 1], CONTENTS[3, 2]


def row(tag="3", kind="cert", file="it.pem", more="") -> str:
    return f'[[credential]]\ntag = {tag}\ntype = "{kind}"\nfile = "{file}"\n{more}\n'


def refusal(root, text: str, **files: str | bytes) -> GateClosed:
    """What is said of a sheet with these files beside it."""
    for name, content in files.items():
        data = content if isinstance(content, bytes) else content.encode()
        (root / name.replace("_", ".")).write_bytes(data)
    (root / "credentials.toml").write_text(text)
    with pytest.raises(GateClosed) as refused:
        Sheet.read(str(root / "credentials.toml"))
    error = refused.value
    assert error.advice.startswith("Nothing is written.")
    assert "PRIVATE" not in error.sentence + error.advice
    return error


@pytest.mark.parametrize(
    ("text", "content", "words"),
    [
        (row(), None, "is not there"),
        (row(kind="certificate"), CERT, "unknown type"),
        (row() + row(), CERT, "twice"),
        (row(tag="2147483648"), CERT, "no tag from 0 to 2147483647"),
        (row(tag="-1"), CERT, "no tag"),
        (row(tag="true"), CERT, "no tag"),
        (row(tag='"3"'), CERT, "no tag"),
        (row(more='sha256 = "00"'), CERT, "another SHA-256"),
        (row(more='content = "x"'), CERT, "needs tag, type and file"),
        ("[[credential]]\ntag = 3", CERT, "needs tag, type and file"),
        ("", CERT, "names no credentials"),
        ("tag = [", CERT, "not valid TOML"),
        ('key = "secret', CERT, "not valid TOML"),
        (row(), CERT.replace("\n", "\r\n"), "CRLF"),
        (row(), CERT[:-30], "no whole PEM"),
        (row(), CERT.replace("M", "A", 3), "no certificate that can be read"),
        (row(), b"\x30\x82\xff", "no text"),
        (row(kind="ca"), "\n".join([CERT] * 12), "one command carries"),
        (row(kind="key"), CERT, "exactly one private key"),
        (row(kind="key"), KEY.replace("M", "A", 4), "no private key"),
        (row(kind="key"), "-----BEGIN ENCRYPTED PRIVATE KEY-----\n", "passphrase"),
        (row(kind="psk"), "0x1234", "no PSK"),
        (row(kind="psk"), "123", "no PSK"),
        (row(kind="identity"), 'a"b', "no PSK identity"),
        (row(kind="identity"), "", "no PSK identity"),
    ],
)
def test_what_is_wrong_with_a_sheet_is_a_sentence(tmp_path, text, content, words):
    """Before a single byte goes to the modem."""
    files = {} if content is None else {"it_pem": content}
    assert words in refusal(tmp_path, text, **files).sentence


BESIDE = "holds a private key beside the certificate"
CURVE = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----"


@pytest.mark.parametrize("kind", ["ca", "cert"])
@pytest.mark.parametrize(
    ("blocks", "words"),
    [
        ((CERT, KEY), BESIDE),
        ((KEY, CERT), BESIDE),
        ((KEY,), "holds a private key and no certificate"),
        ((CERT, KEY, CERT), BESIDE),
        ((CERT, CURVE), "something else than certificates"),
    ],
)
def test_what_is_no_certificate_never_goes_into_a_certificates_slot(tmp_path, kind, blocks, words):
    """Such a slot can be read out, and the list would show it as sent."""
    assert words in refusal(tmp_path, row(kind=kind), it_pem="\n".join(blocks)).sentence


def test_the_key_of_another_certificate_is_refused(tmp_path):
    """Both are sound, and do not belong together."""
    text = row() + row(kind="key", file="key.pem")
    said = refusal(tmp_path, text, it_pem=CERT, key_pem=private_pem("somebody else"))

    assert "it.pem" in said.sentence
    assert "the key of another certificate" in said.sentence


def test_a_whole_sheet_is_read_and_its_contents_are_in_no_repr(tmp_path):
    """Digests are those that the modem tells; the last line end of a file does not matter."""
    contents = CONTENTS | {(9, 3): psk("nine"), (9, 4): "unit-9"}
    pairs = ((1, 0), (3, 1), (3, 2), (9, 3), (9, 4))
    read = Sheet.read(sheet(tmp_path, *pairs, contents=contents))

    for item in read.items:
        stored = hashlib.sha256(contents[item.pair].encode()).hexdigest().upper()
        assert item.digest == stored
        assert item.is_in(Entry(*item.pair, stored))
        assert not item.is_in(Entry(*item.pair, "0" * 63 + "1"))
        assert not item.is_in(None)
        assert contents[item.pair][30:] not in repr(item) or item.type is Type.IDENTITY
    assert psk("nine") not in repr(read)


def test_comments_around_a_certificate_are_left_out_and_still_the_same_credential(tmp_path):
    """Somebody may have written them in with an old tool."""
    noted = f"subject=made up\n{CERT}\n"
    (tmp_path / "it.pem").write_text(noted)
    digest = hashlib.sha256(noted.encode()).hexdigest()
    (tmp_path / "credentials.toml").write_text(row(more=f'sha256 = "{digest}"'))
    (item,) = Sheet.read(str(tmp_path / "credentials.toml")).items

    told = hashlib.sha256(CERT.encode()).hexdigest()
    (tmp_path / "credentials.toml").write_text(row(more=f'sha256 = "{told}"'))
    assert Sheet.read(str(tmp_path / "credentials.toml")).items == (item,)
    assert item.content == CERT
    assert item.is_in(Entry(3, 1, digest.upper()))
    assert item.pair == LOST


def test_several_authorities_may_stand_in_one_file_up_to_what_a_command_carries(tmp_path):
    """A bundle that just fits goes in."""
    one = certificate_pem("root of nothing")
    count = MOST // (len(one) + 1)
    (tmp_path / "it.pem").write_text("\n".join([one] * count))
    (tmp_path / "credentials.toml").write_text(row(kind="ca"))
    (item,) = Sheet.read(str(tmp_path / "credentials.toml")).items

    assert item.content.count("BEGIN") == count > 1


def test_a_command_that_a_shell_makes_too_long_is_refused_with_its_file():
    """Each line end takes two characters there; elsewhere it fits."""
    item = Item(1, Type.CA, "roots.pem", "M" * 19 + ("\n" + "M" * 19) * 199, frozenset())
    require_passable([item], Way.PLAIN)
    with pytest.raises(GateClosed) as refused:
        require_passable([item], Way.SHELL)
    assert refused.value.sentence.startswith("roots.pem: A command of 4")
    assert refused.value.advice == "Nothing is written. Split the certificates over several tags."
