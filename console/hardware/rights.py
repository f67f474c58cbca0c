"""Who may open a device: the udev rules that give the right, and what is said where they lack.

The rule: pure text. USB ids go in, the whole rules file comes out; it says itself how it is
installed, and every refusal names the one command that prints it.
"""

from __future__ import annotations

from collections.abc import Mapping

FILE = "/etc/udev/rules.d/70-replug.rules"
"""Before 73-seat-late.rules, which acts on the tag "uaccess"."""
INSTALL = f"replug udev | sudo tee {FILE}"
USB_GROUP, SERIAL_GROUP = "plugdev", "dialout"

NO_RULE = f"Its udev rule is missing. Install it, then plug it in again: {INSTALL}"
NO_GROUP = (
    f"Its port is for the group {SERIAL_GROUP}: sudo usermod -aG {SERIAL_GROUP} USER; "
    "then log in again."
)
NO_POLKIT = "A polkit rule for org.debian.pcsc-lite is missing; replug udev shows it."

HEAD = f"""\
# Who may open the devices that Replug knows. To install this file, and use it at once:
#
#   {INSTALL} >/dev/null
#   sudo udevadm control --reload && sudo udevadm trigger
#
# Who sits at this machine may open them then (uaccess). Over SSH the groups count, from the
# next login on:
#
#   sudo usermod -aG {USB_GROUP},{SERIAL_GROUP} "$USER"
#
# A serial port that is not named here (an nRF91 kit behind its J-Link) needs the group
# {SERIAL_GROUP} alone.
#
# Cards need no rule: the PC/SC service (pcscd) opens their readers. Where it asks polkit (on
# Debian 12 it does not), a login over SSH needs /etc/polkit-1/rules.d/70-replug.rules:
#
#   polkit.addRule(function(action, subject) {{
#       if (action.id.indexOf("org.debian.pcsc-lite.") == 0 && subject.isInGroup("{USB_GROUP}"))
#           return polkit.Result.YES;
#   }});

ACTION=="remove", GOTO="replug_end"
SUBSYSTEM!="usb|hidraw|tty", GOTO="replug_end"
"""

TAIL = f"""\
ENV{{.REPLUG}}!="1", GOTO="replug_end"
# No modem: ModemManager would send AT commands to it.
ENV{{ID_MM_DEVICE_IGNORE}}="1"
SUBSYSTEM=="usb|hidraw", MODE="0660", GROUP="{USB_GROUP}", TAG+="uaccess"
SUBSYSTEM=="tty", MODE="0660", GROUP="{SERIAL_GROUP}", TAG+="uaccess"
LABEL="replug_end"
"""


def rules(known: Mapping[str, str]) -> str:
    """The rules file for every VID:PID of `known`, which says what each of them is."""
    return "\n".join([HEAD, *(_rule(ids, what) for ids, what in sorted(known.items())), TAIL])


def _rule(ids: str, what: str) -> str:
    # The ids are the USB device's own: of a hidraw node or a tty it is the ancestor (ATTRS), and
    # both must fit the same one. A property that begins with a dot is kept nowhere (udev(7)).
    vid, _, pid = ids.partition(":")
    return (
        f'# {what}\nATTRS{{idVendor}}=="{vid}", ATTRS{{idProduct}}=="{pid}", ENV{{.REPLUG}}="1"\n'
    )
