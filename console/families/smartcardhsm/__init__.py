"""The SmartCard-HSM (Nitrokey HSM 1 and 2): keys that leave only under a key of custodians."""

from console.families import Family

FAMILY = Family("smartcardhsm", "SmartCard-HSM", (), ())
