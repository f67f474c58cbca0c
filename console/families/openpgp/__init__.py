"""OpenPGP cards: anything with the application identifier D276000124."""

from console.families import Family

FAMILY = Family("openpgp", "OpenPGP cards", (), ())
