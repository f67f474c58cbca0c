"""Figures: ratios measured in one run against a named peer. Printed, and asserted nowhere."""
