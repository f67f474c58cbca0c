"""Standards that two families share: pure codecs, and clients over one line."""
