"""Tests that have not passed yet since the parts that they test were joined: unsettled.txt.

They are run and reported like the others (XFAIL, XPASS), but do not decide whether a run was good.
A line is a file or a test, `test_drift.py` or `test_drift.py::test_deleted_snippet_comes_back`; it
goes when what it names passes. An empty file is the aim.
"""

import pathlib

import pytest

LIST = pathlib.Path(__file__).with_name("unsettled.txt")


def names():
    lines = (line.split("#")[0].strip() for line in LIST.read_text().splitlines())
    return {line for line in lines if line}


def mark(items):
    wanted = names()
    for item in items:
        test = f"{item.path.name}::{item.nodeid.partition('::')[2]}"
        if {item.path.name, test, test.partition("[")[0]} & wanted:
            item.add_marker(pytest.mark.xfail(reason="unsettled.txt", strict=False))
