from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sortal.decide.certificate import Bound, Certificate, Outlook

PRECISION = Bound("precision", 0.9, 0.9, 199 / 210, True)
RECALL = Bound("recall", 0.5, 0.5, 199 / 300, True)
FPR = Bound("fpr", 0.02, 0.02, 11 / 1010, True)
CERTIFICATE = Certificate("yes", 0.62, 0.95, 1310, 300, 210, (PRECISION,), 300 / 1310)
SHORT = Bound("precision", 0.95, 0.9191, 199 / 210, False)


def test_a_certificate_survives_json():
    whole = replace(CERTIFICATE, bounds=(PRECISION, replace(RECALL, holds=False), FPR))
    assert msgspec.json.decode(msgspec.json.encode(whole), type=Certificate) == whole


def test_it_holds_where_all_bounds_do():
    assert CERTIFICATE.holds
    assert not replace(CERTIFICATE, bounds=(PRECISION, SHORT)).holds


def test_a_bound_is_found_by_its_measure():
    whole = replace(CERTIFICATE, bounds=(PRECISION, FPR))
    assert whole.bound("fpr") == FPR
    assert whole.bound("recall") is None


def test_several_promises_are_explained_in_one_sentence():
    whole = replace(CERTIFICATE, bounds=(PRECISION, RECALL, FPR))
    assert whole.explanation == (
        "precision >= .9 and recall >= .5 and false positive rate <= .02 certified together at 95 % confidence on "
        "1,310 labelled rows: p >= .62 says yes to 210, 199 rightly (.948) and finds 199 of 300 positives (.663) and "
        "says "
        "yes to 11 of 1,010 negatives (.011)"
    )


def test_a_refusal_says_what_can_be_certified_and_what_it_would_take():
    refusal = replace(CERTIFICATE, bounds=(SHORT,), outlook=Outlook(4200, 0.81))
    assert refusal.explanation == (
        "precision >= .95 cannot be certified from 1,310 labelled rows: .91 can. 3.2 times as many rows, about 4,200 "
        "to prove it on, would do with a chance of 81 %."
    )
    assert "3.2 times as many groups, about 4,200 to prove it on" in replace(refusal, grouped=True).explanation
    vain = replace(
        CERTIFICATE, bounds=(replace(SHORT, asked=0.925, certified=0.0),), outlook=Outlook(None, 0.02, 0.683)
    )
    assert vain.explanation == (
        "precision >= .925 cannot be certified from 1,310 labelled rows: no level can. "
        "More rows will not help: this model reaches about .68; a better model may."
    )
    unclear = replace(vain, outlook=Outlook(None, 0.4))
    assert unclear.explanation.endswith("More rows may not help; a better model may.")


def test_a_joint_refusal_names_what_each_measure_keeps():
    alarms = replace(FPR, certified=0.0213, holds=False)
    bounds = (PRECISION, replace(RECALL, certified=0.0, holds=False), alarms)
    refusal = replace(CERTIFICATE, bounds=bounds, outlook=Outlook(20_000, 0.8))
    assert refusal.explanation == (
        "precision >= .9 and recall >= .5 and false positive rate <= .02 cannot be certified together from 1,310 "
        "labelled rows: "
        "precision >= .9 and false positive rate <= .0213 can. 15 times as many rows, about 20,000 to prove it on, "
        "would do with a chance of 80 %."
    )


def test_the_confidence_is_said_to_be_of_attempts():
    assert CERTIFICATE.caveat.startswith(
        "The confidence is of attempts, not of certificates: up to 5 % of all attempts certify what does not hold"
    )


@given(level=st.floats(0.0101, 0.999))
@settings(max_examples=100)
def test_a_refusal_never_claims_more_than_it_may(level):
    explanation = replace(CERTIFICATE, bounds=(replace(SHORT, asked=0.9995, certified=level),)).explanation
    assert float(explanation.split("rows: ")[1].split(" can")[0]) <= level
    alarms = replace(CERTIFICATE, bounds=(replace(FPR, holds=False, certified=level),)).explanation
    assert float(alarms.split("rows: ")[1].split(" can")[0]) >= level


@given(tpr=st.floats(0.01, 1), fpr=st.floats(0.001, 0.999), here=st.floats(0.01, 0.99), there=st.floats(0.01, 0.99))
@settings(max_examples=100)
def test_precision_moves_with_prevalence_as_bayes_says(tpr, fpr, here, there):
    def precision(prevalence):
        return prevalence * tpr / (prevalence * tpr + (1 - prevalence) * fpr)

    certificate = replace(CERTIFICATE, prevalence=here, bounds=(replace(PRECISION, certified=precision(here)),))
    assert certificate.precision_at(there) == pytest.approx(precision(there))
    assert certificate.precision_at(here) == pytest.approx(precision(here))


def test_precision_at_needs_a_precision_and_a_prevalence():
    with pytest.raises(ValueError, match="nothing of precision"):
        replace(CERTIFICATE, bounds=(RECALL,)).precision_at(0.1)
    for certificate, prevalence in [
        (CERTIFICATE, 0.0),
        (CERTIFICATE, 1.0),
        (replace(CERTIFICATE, prevalence=0.0), 0.5),
    ]:
        with pytest.raises(ValueError, match="strictly between"):
            certificate.precision_at(prevalence)
