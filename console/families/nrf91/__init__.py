"""nRF91 modems: credentials over AT, application firmware over MCUboot's serial recovery."""

from console.families import Family

FAMILY = Family("nrf91", "nRF91 modems", (), ())
