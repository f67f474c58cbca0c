"""The only room that imports hid, usb, smartcard, serial or pyudev; library errors become ours here."""
