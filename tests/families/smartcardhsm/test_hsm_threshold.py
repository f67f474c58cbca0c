"""A password in parts, as people bring it: in one line, a line each, or as the tool prints it."""

from __future__ import annotations

import pytest

from console.errors import GateClosed
from console.families.smartcardhsm import threshold
from console.families.smartcardhsm.sharing import entries_of
from tests.families.smartcardhsm.restoring import RESTORE, waiting
from tests.families.smartcardhsm.sticks import (
    USER,
    bench,
    card,
    quick,
    sealed,
    spellings,
)
from tests.harness import workshop

__all__ = ["quick"]
PRIME, OTHER_PRIME = "ed:55:c5:dd:60:e2:68:1b", "fd:55:c5:dd:60:e2:68:1b"
ONE, TWO = "19:63:40:ce:f3:91:70:75", "ec:d5:99:c2:37:76:4f:fb"
WHOLE = f"Prime {PRIME}; Share 1 value {ONE}; Share 2 value {TWO}"


def printed(number: int, value: str, prime: str = PRIME) -> str:
    """What sc-hsm-tool shows to one custodian."""
    return f"\nPrime       : {prime}\nShare ID    : {number}\nShare value : {value}\n"


TOOL = printed(1, ONE) + printed(2, TWO)
HEADED = f"Share 1 of 3\n\n{printed(1, ONE)}\nShare 2 of 3\n\n{printed(2, TWO)}"
CUSTODIANS = f"Prime {PRIME} Share 1 value {ONE}\nPrime {PRIME} Share 2 value {TWO}\n"
MIXED = (
    f"Prime {PRIME}\nShare 1 value {ONE}\nPrime {PRIME.upper()}\nShare ID: 2\nShare value: {TWO}"
)
WRITTEN = [WHOLE, TOOL, HEADED, CUSTODIANS, MIXED]
NAMES = ["one line", "printed", "printed with headings", "a line a custodian", "mixed"]


@pytest.mark.parametrize("text", WRITTEN, ids=NAMES)
def test_the_parts_of_one_password_are_one_entry(text):
    (entry,) = entries_of(text)

    assert threshold.is_threshold(entry)
    wanted = threshold.passwords(threshold.parse(WHOLE))
    assert threshold.passwords(threshold.parse(entry)) == wanted


@pytest.mark.parametrize("text", WRITTEN, ids=NAMES)
def test_a_share_opens_by_parts_however_they_are_written(tmp_path, quick, text):
    (secret, *_) = threshold.passwords(threshold.parse(WHOLE))
    with workshop(tmp_path / "shop", bench(card(setup=waiting(1)))) as shop:
        path = sealed(tmp_path / "a.pbe", secret)
        answers = {"shares": str(path), "share_passwords": text, "pin": USER}
        view = shop.run(RESTORE, answers=answers)

        assert view.verdict == "repaired", view.ended


def test_each_prime_begins_a_password_of_its_own():
    """Two shares, each held by custodians; and a plain password before and after."""
    other = printed(1, TWO, OTHER_PRIME) + printed(2, ONE, OTHER_PRIME)
    entries = entries_of(f"first secret\n{TOOL}{other}last secret")

    assert [entries[0], entries[-1]] == ["first secret", "last secret"]
    assert [len(threshold.parse(entry).points) for entry in entries[1:-1]] == [2, 2]


def test_a_whole_password_in_a_line_is_never_joined_to_another():
    """The same one for two shares."""
    assert entries_of(f"{WHOLE}\n{WHOLE}") == [WHOLE, WHOLE]


@pytest.mark.parametrize("word", ["Share 1 of 3", "Share value of all", "prime", "Primel\nShare"])
def test_a_password_that_only_looks_like_parts_is_one(word):
    assert entries_of(word) == word.split("\n")


PRIMES_DIFFER = f"Prime {PRIME}; Share 1 value {ONE}; Prime {OTHER_PRIME}; Share 2 value {TWO}"
ONE_TWICE = f"Prime {PRIME}; Share 1 value {ONE}; Share 1 value {TWO}"
TURNED = f"Prime {PRIME}; Share {ONE.replace(':', '')} value 01; " * 2
COPIED_WRONG = printed(1, ONE) + printed(2, TWO, OTHER_PRIME)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (PRIMES_DIFFER, "primes"),
        (ONE_TWICE, "Share 1 of the password was given twice"),
        (TURNED, "given twice"),
        (COPIED_WRONG, "same prime"),
        (printed(1, ONE), "at least 2"),
        (WHOLE.replace(PRIME, "00"), "do not fit together"),
    ],
    ids=[
        "two primes in one",
        "an id twice",
        "id and value turned",
        "a prime copied wrong",
        "one",
        "no prime",
    ],
)
def test_parts_that_do_not_go_together_are_refused_without_a_word_of_them(
    tmp_path, quick, text, said
):
    with workshop(tmp_path / "shop", bench(card(setup=waiting(1)))) as shop:
        path = sealed(tmp_path / "a.pbe", b"geheim")
        answers = {"shares": str(path), "share_passwords": text, "pin": USER}
        view = shop.run(RESTORE, answers=answers)

        assert view.verdict == "refused", view.ended
        assert said in f"{view.ended.sentence} {view.ended.advice}"
        data = b"".join(p.read_bytes() for p in shop.state.root.rglob("*") if p.is_file())
        told = (repr(view.ended) + repr(view.said)).encode() + data
        for secret in (PRIME, OTHER_PRIME, ONE, TWO):
            raw = bytes.fromhex(secret.replace(":", ""))
            spelled = (*spellings(raw), secret.encode(), secret[:8].encode())
            assert not any(each in told for each in spelled)


def test_an_error_of_the_parts_names_none_of_them():
    with pytest.raises(GateClosed) as caught:
        threshold.parse(TURNED)
    assert ONE.replace(":", "") not in f"{caught.value.sentence} {caught.value.advice}"
