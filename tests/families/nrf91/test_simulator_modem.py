"""The simulated modem's commands, held to Nordic's AT command reference, a firmware at a time."""

from __future__ import annotations

import base64
import hashlib

import cbor2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_private_key

from console.families.nrf91.simulator_contents import private_pem
from console.families.nrf91.simulator_rows import (
    FIRMWARES,
    MFW_1_2_3,
    MFW_1_3_1,
    MFW_1_3_6,
    MFW_2_0_2,
    TRACKER,
    Faults,
    Supply,
)
from tests.families.nrf91.modem_wire import CA, CASE_5, IMEI, OTHER_CA, Wire, digest

every_firmware = pytest.mark.parametrize("firmware", FIRMWARES, ids=lambda row: row.name)


# --- who it is ------------------------------------------------------------------------------


@every_firmware
def test_it_names_itself(firmware):
    """IMEI as a plain line, its firmware long and short, its supply in millivolts."""
    wire = Wire(firmware)

    assert wire.ask("AT") == ["OK"]
    assert wire.ask("AT+CGSN") == [IMEI, "OK"]
    assert wire.ask("AT+CGSN=1") == [f'+CGSN: "{IMEI}"', "OK"]
    assert wire.ask("at+cgmr") == [firmware.name, "OK"]
    assert wire.ask("AT%SHORTSWVER") == [f"%SHORTSWVER: {firmware.short_name}", "OK"]
    assert wire.ask("AT%XVBAT") == ["%XVBAT: 3700", "OK"]
    assert wire.ask("AT%HWVERSION") == [f"%HWVERSION: {firmware.hardware}", "OK"]
    assert wire.ask("AT+CGMM") == [firmware.model, "OK"]
    assert wire.ask("AT+CGMI") == ["Nordic Semiconductor ASA", "OK"]
    assert wire.ask("AT%XMODEMUUID") == [f"%XMODEMUUID: {firmware.uuid}", "OK"]


def test_errors_have_numbers_only_when_asked_for():
    """+CMEE; until then a plain ERROR, and again after the power came back."""
    wire = Wire()
    assert wire.ask("AT%CMNG=2,5,0") == ["ERROR"]
    assert wire.ask("AT+CMEE=1") == ["OK"]
    assert wire.ask("AT+CMEE?") == ["+CMEE: 1", "OK"]
    assert wire.ask("AT%CMNG=2,5,0") == ["+CME ERROR: 513"]
    wire.cycle()
    assert wire.ask("AT%CMNG=2,5,0") == ["ERROR"]


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("AT%NOSUCH", "+CME ERROR: 0"),
        ("AT%XPOFWARN?", "+CME ERROR: 0"),
        ("AT%CMNG?", "+CME ERROR: 0"),
        ("AT+CFUN=3", "+CME ERROR: 50"),
        ("AT+CMEE=7", "+CME ERROR: 50"),
        ("AT%CMNG=4", "+CME ERROR: 50"),
        ("AT%CMNG=x", "+CME ERROR: 50"),
        ("AT%CMNG=0,5,0", "+CME ERROR: 50"),
        ('AT%CMNG=0,5,0,""', "+CME ERROR: 50"),
        ("AT%CMNG=0,5,0,unquoted", "+CME ERROR: 50"),
        ('AT%CMNG=0,5,7,"reserved"', "+CME ERROR: 50"),
        ('AT%CMNG=0,5,5,"only deleted"', "+CME ERROR: 50"),
        ('AT%CMNG=0,5,10,"Nordic\'s own"', "+CME ERROR: 514"),
        ('AT%CMNG=0,2147483648,0,"reserved"', "+CME ERROR: 514"),
        ("AT%CMNG=3,4294967294,6", "+CME ERROR: 514"),
        ("AT%CMNG=3,5,0", "+CME ERROR: 513"),
        ("AT%XPOFWARN=1,29", "+CME ERROR: 50"),
        ("AT%XPOFWARN=1", "+CME ERROR: 50"),
        ("hello", "ERROR"),
        ('AT%CMNG=1,"5"x', "ERROR"),
    ],
)
def test_what_cannot_be_meant_is_refused(command, answer):
    """And changes nothing."""
    wire = Wire(contents={(1, 0): CA}).offline()
    assert wire.ask(command) == [answer]
    assert wire.listed() == {(1, 0): digest(CA)}


# --- functional mode ------------------------------------------------------------------------


def test_the_mode_is_told_and_stays():
    """Switched off at start; an application may have it on."""
    wire = Wire()
    assert wire.ask("AT+CFUN?") == ["+CFUN: 0", "OK"]
    assert wire.ask("AT+CFUN=4") == ["OK"]
    assert wire.ask("AT+CFUN?") == ["+CFUN: 4", "OK"]
    wire.cycle()
    assert wire.ask("AT+CFUN?") == ["+CFUN: 0", "OK"]
    assert Wire(application=TRACKER).ask("AT+CFUN?")[0] == "+CFUN: 1"


@pytest.mark.parametrize("mode", [1, 2, 21])
def test_an_active_modem_changes_no_credential(mode):
    """518 for write, delete and a new key; listing and reading work in every mode."""
    wire = Wire(contents={(1, 4): "who"}).offline()
    wire.ask(f"AT+CFUN={mode}")
    assert wire.write(5, 0, CA) == "+CME ERROR: 518"
    assert wire.ask("AT%CMNG=3,1,4") == ["+CME ERROR: 518"]
    assert wire.ask("AT%KEYGEN=5,2,0") == ["+CME ERROR: 518"]
    assert wire.listed() == {(1, 4): digest("who")}
    assert wire.ask("AT%CMNG=2,1,4")[0] == f'%CMNG: 1,4,"{digest("who")}","who"'
    wire.ask("AT+CFUN=0")
    assert wire.ask("AT%CMNG=3,1,4") == ["OK"]


def test_settings_go_to_flash_with_cfun_0():
    """And are forgotten without."""
    wire = Wire().offline()
    wire.ask("AT%XSYSTEMMODE=0,1,0,0")
    wire.cycle()
    assert wire.ask("AT%XSYSTEMMODE?")[0] == "%XSYSTEMMODE: 1,0,1,0"
    wire.ask("AT%XSYSTEMMODE=0,1,0,0")
    wire.ask("AT+CFUN=0")
    wire.cycle()
    assert wire.ask("AT%XSYSTEMMODE?")[0] == "%XSYSTEMMODE: 0,1,0,0"
    wire.ask("AT+CFUN=1")
    assert wire.ask("AT%XSYSTEMMODE=1,0,0,0") == ["ERROR"]
    assert wire.ask("AT%XSYSTEMMODE=1,0") == ["ERROR"]


# --- the store ------------------------------------------------------------------------------


def test_what_is_written_is_listed_with_its_digest():
    """SHA-256 over the content as it stood between the quotes; all, one tag, one pair."""
    wire = Wire(MFW_1_3_1).offline()
    assert [wire.write(7, 0, CA), wire.write(7, 4, "who"), wire.write(8, 0, CA)] == ["OK"] * 3
    assert wire.listed() == {(7, 0): digest(CA), (7, 4): digest("who"), (8, 0): digest(CA)}
    assert wire.ask("AT%CMNG=1,7,4") == [f'%CMNG: 7,4,"{digest("who")}"', "OK"]
    assert len(wire.ask("AT%CMNG=1,7")) == 3
    assert wire.ask("AT%CMNG=1,9") == ["OK"]
    assert wire.ask("AT%CMNG=1, 7, 4")[0] == f'%CMNG: 7,4,"{digest("who")}"'


def test_line_ends_inside_the_quotes_are_content():
    """LF and CRLF make two digests (older firmware takes both)."""
    wire = Wire(MFW_1_3_1).offline()
    assert wire.write(1, 0, "a\nb") == wire.write(2, 0, "a\r\nb") == "OK"
    assert wire.listed() == {(1, 0): digest("a\nb"), (2, 0): digest("a\r\nb")}
    assert wire.ask("AT%CMNG=2,2,0") == [
        f'%CMNG: 2,0,"{digest("a" + chr(13) + chr(10) + "b")}","a',
        'b"',
        "OK",
    ]


@every_firmware
def test_each_firmware_reads_back_what_it_may(firmware):
    """Never a key; 514 for the others."""
    texts = {(1, 0): CA, (1, 1): CASE_5[3, 1], (1, 2): CASE_5[3, 2], (1, 3): "00FF", (1, 4): "who"}
    wire = Wire(firmware, contents=texts).offline()
    for (tag, kind), text in texts.items():
        answer = "\r\n".join(wire.ask(f"AT%CMNG=2,{tag},{kind}"))
        if kind in firmware.readable:
            assert answer.endswith(f'"{text}"\r\nOK')
        else:
            assert answer == "+CME ERROR: 514"
    assert not {2, 3} & set(firmware.readable)


def test_older_firmware_lists_no_digest_for_some_types():
    """64 zeros, or no third field at all; and none of the modem's own entries."""
    wire = Wire(MFW_1_2_3, contents=CASE_5).offline()
    listed = wire.listed()
    assert listed[3, 2] == "0" * 64
    assert listed[16842753, 3] == ""
    assert listed[3, 1] == digest(CASE_5[3, 1])
    assert not any("429496729" in told for told in wire.ask("AT%CMNG=1"))


def test_later_firmware_lists_its_own_entries_too():
    """Above the users' tags."""
    told = Wire(MFW_1_3_6).ask("AT%CMNG=1")
    assert [each.split(",")[0] for each in told[:-1]] == [
        "%CMNG: 4294967292",
        "%CMNG: 4294967293",
        "%CMNG: 4294967294",
    ]


@every_firmware
def test_an_existing_pair_is_replaced_or_refused(firmware):
    """By firmware; refused, the old one is intact."""
    wire = Wire(firmware, contents={(1, 0): CA}).offline()
    answer = wire.write(1, 0, OTHER_CA)
    expected = ("OK", OTHER_CA) if firmware.replaces else ("+CME ERROR: 519", CA)
    assert (answer, wire.listed()) == (expected[0], {(1, 0): digest(expected[1])})
    assert wire.ask("AT%CMNG=3,1,0") == ["OK"]
    assert wire.write(1, 0, OTHER_CA) == "OK"


@pytest.mark.parametrize(
    "text",
    ["HONKHONK", CA.replace("\n", "\r\n"), CA.replace("\n", "\\n"), CA[:-40]],
    ids=["no PEM", "CRLF", "escaped", "cut"],
)
def test_only_the_latest_firmware_looks_into_certificates(text):
    """527, and nothing is stored; before, anything was."""
    wire = Wire(MFW_2_0_2).offline()
    assert wire.write(1, 0, text) == wire.write(1, 1, text) == "+CME ERROR: 527"
    assert wire.write(1, 4, text) == "OK"
    assert wire.write(1, 0, CA) == wire.write(1, 1, f"{CA}\n{OTHER_CA}") == "OK"
    assert Wire(MFW_1_3_6).offline().write(1, 0, text) == "OK"


def test_a_full_store_takes_no_more():
    """515; the entries that are there stay."""
    wire = Wire(MFW_1_3_6).offline()
    answers = [wire.write(tag, 0, "x" * 4000) for tag in range(1, 10)]
    assert answers == ["OK"] * 8 + ["+CME ERROR: 515"]
    assert len(wire.listed()) == 8


# --- the supply -----------------------------------------------------------------------------

WEAK = Supply(battery=3040, bench=3800)


def test_the_warning_is_sent_once_and_turns_the_radio_off():
    """%XPOFWARN=1,L; then the modem is offline, and 528 meets every write."""
    wire = Wire(MFW_1_3_6, contents={(1, 0): CA}, supply=WEAK).offline()
    wire.ask("AT+CFUN=1")
    assert wire.ask("AT%XPOFWARN=1,33") == ["OK"]
    assert wire.listen() == b"%XPOFWARN: 1,33\r\n+CGEV: ME BATTERY LOW\r\n"
    assert wire.listen() == b""
    assert wire.ask("AT+CFUN?")[0] == "+CFUN: 4"
    assert wire.write(2, 0, CA) == "+CME ERROR: 528"
    assert wire.ask("AT%CMNG=3,1,0") == ["+CME ERROR: 528"]
    assert wire.ask("AT%KEYGEN=5,2,0") == ["+CME ERROR: 528"]
    assert wire.listed() == {(1, 0): digest(CA)}


def test_the_warning_clears_with_a_better_supply_enabled_again():
    """Or by a power cycle; switching the warning off on a weak supply is no way out."""
    wire = Wire(MFW_1_3_6, supply=WEAK).offline()
    wire.ask("AT%XPOFWARN=1,31")
    wire.listen()
    assert wire.unit.modem.warned
    wire.unit.press("bench")
    assert wire.write(2, 0, CA) == "+CME ERROR: 528"
    assert wire.ask("AT%XPOFWARN=1,31") == ["OK"]
    assert wire.write(2, 0, CA) == "OK"


@pytest.mark.parametrize("firmware", [MFW_1_2_3, MFW_1_3_1], ids=lambda row: row.name)
def test_older_firmware_writes_whatever_the_supply(firmware):
    """No 528 before 1.3.2; and then another credential is lost, the oldest."""
    wire = Wire(firmware, contents=CASE_5, supply=WEAK).offline()
    wire.ask("AT%XPOFWARN=1,33")
    before = wire.listed()
    assert wire.write(9, 0, CA) == "OK"
    after = wire.listed()
    assert set(before) - set(after) == {(3, 0)}
    assert wire.store.lost == [(3, 0)]
    wire.unit.press("bench")
    assert wire.write(10, 0, CA) == "OK"
    assert len(wire.listed()) == len(after) + 1


# --- keys -----------------------------------------------------------------------------------


def keygen(wire: Wire, command: str) -> tuple[bytes, list]:
    """The body of the answer, and the parts of its COSE_Sign1."""
    told = wire.ask(command)[0]
    assert told.startswith('%KEYGEN: "')
    body, cose = told.split('"')[1].split(".")
    tagged = cbor2.loads(raw64(cose))
    assert tagged.tag == 18
    return raw64(body), tagged.value


def raw64(text: str) -> bytes:
    assert "=" not in text
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def test_a_new_key_stays_inside_and_its_request_comes_out():
    """A CSR whose signature holds; the pair is listed, never read, never made twice."""
    wire = Wire(MFW_1_3_6).offline()
    body, _ = keygen(wire, "AT%KEYGEN=16842753,2,0")
    request = x509.load_der_x509_csr(body)
    assert request.is_signature_valid
    assert request.subject.rfc4514_string() == f"CN={wire.unit.modem.who.uuid}"
    (kept,) = wire.store.find(16842753, 2)
    assert load_pem_private_key(kept.content, None).public_key() == request.public_key()
    assert wire.listed() == {(16842753, 2): digest(kept.content.decode())}
    assert wire.ask("AT%CMNG=2,16842753,2") == ["+CME ERROR: 514"]
    assert wire.ask("AT%KEYGEN=16842753,2,0") == ["+CME ERROR: 519"]
    assert 2.0 < wire.passed < 10.0


def test_a_request_carries_the_attributes_and_usages_asked_for():
    """Or is refused, and no key is made."""
    wire = Wire(MFW_1_3_6).offline()
    body, _ = keygen(wire, 'AT%KEYGEN=5,2,0,"CN=probe-17,O=Example Depot","101000000"')
    request = x509.load_der_x509_csr(body)
    assert request.subject.rfc4514_string() == "CN=probe-17,O=Example Depot"
    usage = request.extensions.get_extension_for_class(x509.KeyUsage).value
    assert (usage.digital_signature, usage.content_commitment, usage.key_encipherment) == (1, 0, 1)
    assert wire.ask('AT%KEYGEN=6,2,0,"no attributes"') == ["+CME ERROR: 50"]
    assert wire.ask('AT%KEYGEN=6,2,0,"CN=a","12"') == ["+CME ERROR: 50"]
    assert wire.ask("AT%KEYGEN=6,1,0") == ["+CME ERROR: 50"]
    assert wire.store.find(6) == []


def test_the_identity_key_signs_what_was_made():
    """COSE_Sign1 over [message, UUID, tag, digest of the body, nonce], as published."""
    wire = Wire(MFW_1_3_6).offline()
    body, (protected, unprotected, payload, signature) = keygen(wire, "AT%KEYGEN=42,2,0")
    assert (protected.hex(), {4: b"\x21"}) == ("a10126", unprotected)
    assert payload[:5].hex() == "d9d9f78509"
    message = cbor2.loads(payload)
    parts = message.value if isinstance(message, cbor2.CBORTag) else message
    assert parts[1] == wire.unit.modem.who.uuid.bytes
    assert parts[2].hex() == "182a"
    assert parts[3] == hashlib.sha256(body).digest()
    assert len(parts[4]) == 16
    signed = cbor2.dumps(["Signature1", protected, b"", payload])
    r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
    public = wire.unit.modem.who.key.public_key()
    public.verify(encode_dss_signature(r, s), signed, ec.ECDSA(hashes.SHA256()))


def test_a_public_key_alone_can_be_asked_for():
    """And an endorsement key is used again, not made again."""
    wire = Wire(MFW_1_3_6).offline()
    body, parts = keygen(wire, "AT%KEYGEN=5,2,1")
    (kept,) = wire.store.find(5, 2)
    assert load_der_public_key(body) == load_pem_private_key(kept.content, None).public_key()
    assert parts[2][:5].hex() == "d9d9f78508"
    first, _ = keygen(wire, "AT%KEYGEN=6,8,1")
    again, _ = keygen(wire, "AT%KEYGEN=6,8,1")
    assert first == again


def test_a_modem_that_cannot_make_keys_says_so():
    """523 for one that fails, no such command before 1.3."""
    wire = Wire(MFW_1_3_6, faults=Faults(fails_keygen=True)).offline()
    assert wire.ask("AT%KEYGEN=5,2,0") == ["+CME ERROR: 523"]
    assert Wire(MFW_1_2_3).offline().ask("AT%KEYGEN=5,2,0") == ["+CME ERROR: 0"]


def test_the_attestation_names_the_unit():
    """The same UUID each time; the nonce is the host's."""
    wire = Wire(MFW_1_3_6)
    token = wire.ask('AT%ATTESTTOKEN="00112233445566778899AABBCCDDEEFF"')[0].split('"')[1]
    body, cose = map(raw64, token.split("."))
    message = cbor2.loads(body)
    parts = message.value if isinstance(message, cbor2.CBORTag) else message
    assert list(parts[:3]) == [1, wire.unit.modem.who.uuid.bytes, 3]
    assert parts[4].hex() == "00112233445566778899aabbccddeeff"
    assert cbor2.loads(cose).value[2] is None
    assert wire.ask("AT%ATTESTTOKEN")[-1] == "OK"
    assert wire.ask('AT%ATTESTTOKEN="xy"') == ["ERROR"]


def test_the_dates_of_a_certificate_are_told_if_it_parses():
    """513 where none is, 527 where it is something else."""
    wire = Wire(MFW_1_3_6, contents={(1, 0): CA, (2, 0): "HONKHONK"}).offline()
    (told, _) = wire.ask("AT%CERTEXPIRY=1,0")
    serial, begins, ends = told.removeprefix("%CERTEXPIRY: ").split(",")
    assert int(serial, 16) == x509.load_pem_x509_certificate(CA.encode()).serial_number
    assert (begins, ends) == ("20210301000000Z", "20410301000000Z")
    assert wire.ask("AT%CERTEXPIRY=2,0") == ["+CME ERROR: 527"]
    assert wire.ask("AT%CERTEXPIRY=3,0") == ["+CME ERROR: 513"]
    assert wire.ask("AT%CERTEXPIRY=3,2") == ["+CME ERROR: 50"]


# --- lies and refusals ----------------------------------------------------------------------


@pytest.mark.parametrize("code", [0, 513, 514, 515, 518, 519, 527, 528])
def test_any_refusal_can_be_had(code):
    """For a client's table of failures."""
    wire = Wire(faults=Faults(refuses_with=code)).offline()
    expected = f"+CME ERROR: {code}" if code else "OK"
    assert wire.write(1, 0, CA) == expected


def test_an_ok_can_be_a_lie_and_so_can_an_error():
    """Nothing stored, something else stored, stored and denied."""
    wire = Wire(faults=Faults(ignores_writes=True)).offline()
    assert (wire.write(1, 0, CA), wire.listed()) == ("OK", {})
    wire = Wire(faults=Faults(alters_writes=True)).offline()
    assert (wire.write(1, 0, CA), wire.listed()) == ("OK", {(1, 0): digest(CA[:-1])})
    wire = Wire(faults=Faults(errs_after_writing=True)).offline()
    assert (wire.write(1, 0, CA), wire.listed()) == ("+CME ERROR: 0", {(1, 0): digest(CA)})


def test_nothing_private_is_in_a_repr():
    """Entries, commands, keys just made."""
    from console.families.nrf91 import simulator_at, simulator_keys, simulator_store

    secret = private_pem("canary")
    line = f'AT%CMNG=0,1,2,"{secret}"'
    shown = [
        repr(simulator_store.Entry(1, 2, secret.encode())),
        repr(simulator_at.parse(line)),
        repr(simulator_keys.MadeKey(secret, b"")),
        repr(Wire(contents={(1, 2): secret}).store),
    ]
    assert not any("PRIVATE" in each or secret[30:60] in each for each in shown)
