#!/usr/bin/env python3
"""A driver that takes more memory than its node has, and then more."""
taken = []
while True:
    taken.append(b"x" * (64 << 20))
