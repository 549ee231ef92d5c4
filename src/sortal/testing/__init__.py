"""Conformance checks: what every plug-in must do, whoever wrote it. The built-ins pass the same ones.

    import pytest
    from sortal.testing import check_family
    from my_package import family

    @pytest.mark.parametrize("requirement", check_family(family), ids=str)
    def test_family(requirement):
        requirement()

Each ``check_*`` yields Requirements, named and run one by one, in the manner of scikit-learn's
``parametrize_with_checks``.
"""

from __future__ import annotations

from sortal.testing.calibrators import check_calibrator
from sortal.testing.checks import check_check
from sortal.testing.families import check_family
from sortal.testing.kinds import check_kind
from sortal.testing.metrics import check_metric
from sortal.testing.preparers import check_preparer
from sortal.testing.requirement import ConformanceError, Requirement

__all__ = [
    "ConformanceError",
    "Requirement",
    "check_calibrator",
    "check_check",
    "check_family",
    "check_kind",
    "check_metric",
    "check_preparer",
]
