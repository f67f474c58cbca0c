"""Simulated hardware for practice: plugged, pulled and broken by named scenarios.

The rule: practice knows families only through their SCENARIOS, and a device in it lives in a
process of its own, so that killing the bench does not heal it.
"""
