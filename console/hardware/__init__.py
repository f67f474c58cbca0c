"""The only room that imports hid, usb, smartcard, serial, pyudev; their errors become ours."""
