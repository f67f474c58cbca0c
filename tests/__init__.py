"""Mirrors console/ and screens/."""
