"""Hostile words, end to end: what a stranger's device says reaches no terminal, page or log raw."""
