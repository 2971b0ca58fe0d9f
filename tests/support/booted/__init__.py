"""The steps that tests/ship/boot.py takes inside a booted machine.

They need the standard library only. They record what they see; the test outside judges it.
"""
