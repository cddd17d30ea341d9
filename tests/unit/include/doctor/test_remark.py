"""What the doctor prints, and when all is well."""

from __future__ import annotations

import pytest

from include.doctor.remark import Finding, Later, Unchecked, is_well, text

FINDINGS = [Finding("a is wrong", "mend a"), Finding("b is missing", "make b")]


def test_every_finding_has_a_number_and_its_fix():
    assert text(FINDINGS) == "1. a is wrong\n   fix: mend a\n2. b is missing\n   fix: make b"


def test_what_was_not_looked_at_is_said_with_the_reason():
    assert text([Unchecked("quotas", "denied"), Later("the REST proxy: no API")]) == (
        "Nothing is missing or wrong, as far as could be seen.\n\n"
        "Not checked:\n- quotas: denied\n\n"
        "Not there before a run of pinterest_pipeline:\n- the REST proxy: no API"
    )


@pytest.mark.parametrize(
    ("remarks", "well"),
    [([], True), ([Later("bucket")], True), ([Unchecked("quotas", "denied")], False), (FINDINGS, False)],
)
def test_nothing_is_well_that_was_not_looked_at(remarks, well):
    assert is_well(remarks) is well
    assert text(remarks).startswith("Nothing is missing or wrong.") is well
