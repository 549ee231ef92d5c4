"""The network: how it learns, against PyTorch's own layers, and what it needs of the clock and the machine."""

from __future__ import annotations

import math
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import make_circles
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from sortal.core.interrupt import TimeUp, interrupted_after
from sortal.engine import compile
from sortal.models import neural, training_loop
from sortal.models.family import FitRequest, OutOfTime, Resources, Rows, Size
from sortal.models.network import Network, Shape, dropout, waves
from sortal.models.neural import EPOCHS, FEWEST_EPOCHS, family, scaling
from sortal.models.optimisers import Parameter
from sortal.models.training_loop import IMPORTING, MARGIN, Learning, Schedule, Steps, Tensors
from sortal.models.training_loop import log_loss as loss_of

SMALL = {"epochs": 16, "width": 16, "hidden": 2}


def circles(n: int, seed: int) -> Rows:
    """Classes that no line tells apart, and a column of noise."""
    X, y = make_circles(n, noise=0.2, factor=0.4, random_state=seed)
    return Rows(np.column_stack([X, np.random.default_rng(seed).normal(size=n)]), y.astype(np.int64))


def test_it_learns_what_no_line_can_and_which_column_is_noise() -> None:
    train, fresh = circles(600, 0), circles(2_000, 1)
    fitted = family.fit(FitRequest(train, 2, seed=0), {"epochs": 60, "width": 32})
    linear = LogisticRegression().fit(train.X, train.y)
    assert (
        log_loss(fresh.y, fitted.predict_proba(fresh.X)) < 0.3 < 0.6 < log_loss(fresh.y, linear.predict_proba(fresh.X))
    )
    assert fitted.importance.argmin() == 2
    assert fitted.importance[:2].min() > 3 * fitted.importance[2]


def test_a_member_is_the_layers_of_pytorch() -> None:
    train = circles(100, 0)
    program = family.fit(FitRequest(train, 2, seed=0), SMALL | {"members": 1}).program()
    scale, squash, member = program.steps
    periodic, first, second, last = member.steps
    x = torch.tensor((train.X - scale.arrays["mean"]) / scale.arrays["scale"])
    x = x / torch.sqrt(1 + (x / squash.arrays["cut"][0]) ** 2)
    a = {name: torch.tensor(value).double() for name, value in periodic.arrays.items()}
    cosine = torch.cos(2 * math.pi * (x[:, :, None] * a["frequency"] + a["phase"]))
    embedded = [cosine[:, c] @ a["weight"][c] + a["bias"][c] for c in range(3)]
    x = torch.cat([x, *embedded], dim=1)
    for step in (first, second):
        weight, bias = (torch.tensor(step.arrays[name]).double() for name in ("weight", "bias"))
        x = torch.nn.functional.selu(x @ weight + bias)
    coef, intercept = (torch.tensor(last.arrays[name]).double() for name in ("coef", "intercept"))
    assert_allclose(compile(program)(train.X), torch.softmax(x @ coef.T + intercept, dim=1).numpy(), atol=1e-12)


def test_numbers_are_scaled_by_their_quartiles_and_a_spike_by_its_deviation() -> None:
    spike = np.where(np.arange(101) < 90, 0.0, 5.0)
    X = np.column_stack([np.arange(101.0), spike, np.full(101, 7.0)])
    scale = scaling(X).steps[0].arrays
    # Means of five neighbours that leave the two outermost rows on either side out.
    assert_allclose(scale["mean"], [50.0, 0.0, 7.0])
    assert_allclose(scale["scale"], [44.0, spike.std(), 1.0])
    assert np.abs(compile(scaling(X))(1e30 * X)).max() <= neural.CUT


def test_it_stops_at_the_epoch_that_is_best_on_the_stopping_rows_and_repeats_it() -> None:
    train, stop = circles(150, 0), circles(60, 1)
    noise = replace(train, y=np.random.default_rng(0).permutation(train.y))
    request = FitRequest(noise, 2, seed=0, stop=stop)
    fitted = family.fit(request, SMALL | {"epochs": 40})
    assert fitted.effort["epochs"] == 40 == fitted.pace["epochs"]
    assert 1 <= fitted.effort["best_epoch"] < 40
    again = family.fit(replace(request, stop=None), SMALL | fitted.effort)
    assert_array_equal(again.predict_proba(stop.X), fitted.predict_proba(stop.X))
    losses = [
        log_loss(
            stop.y,
            family.fit(replace(request, stop=None), SMALL | {"epochs": 40, "best_epoch": at}).predict_proba(stop.X),
        )
        for at in (1, 5, 10, 20, 30, 40)
    ]
    assert log_loss(stop.y, fitted.predict_proba(stop.X)) <= min(losses) + 1e-6


def test_the_loss_is_that_of_the_mean_of_the_members_by_weight() -> None:
    rows = replace(circles(50, 0), weight=np.linspace(0.1, 3.0, 50))
    network = Network(Shape(3, 2, np.array([0, 2]), members=3, width=8, hidden=1), np.array([0.3, 0.7]), 0, "cpu")
    assert log_loss_of(network, rows) == pytest.approx(log_loss(rows.y, [[0.3, 0.7]] * 50, sample_weight=rows.weight))
    steps = Steps(network, Learning(8, 1, 10, 0.1, 0.0, Schedule(waves), 1.0), tensors(rows), 8)
    for _ in range(steps.an_epoch):
        steps.step()
    p = network.layers().arrays().tensors().predict_proba(rows.X)
    assert log_loss_of(network, rows) == pytest.approx(log_loss(rows.y, p, sample_weight=rows.weight), abs=1e-6)


def log_loss_of(network: Network, rows: Rows) -> float:
    return loss_of(network.learned(), tensors(rows))


def tensors(rows: Rows) -> Tensors:
    return Tensors.of(rows, torch.tensor(rows.X, dtype=torch.float32), "cpu")


def test_what_is_used_is_an_average_over_the_last_steps() -> None:
    parameter = Parameter(torch.zeros(1))
    for _ in range(2):
        parameter.step(torch.ones(1), learning_rate=1.0, weight_decay=0.0, weight=0.25)
    # Gradients that are all alike move it by the learning rate: to -1, and to -2.
    assert parameter.value.item() == pytest.approx(-2, abs=1e-6)
    assert parameter.average.item() == pytest.approx(0.75 * 0.25 * -1 + 0.25 * -2, abs=1e-6)
    network = Network(Shape(3, 2, np.array([0]), members=1, width=8, hidden=1), np.array([0.5, 0.5]), 0, "cpu")
    network.weights[-1].average.fill_(7.0)
    assert network.layers().weights[-1].unique().tolist() == pytest.approx([7 / math.sqrt(8)])
    assert network.layers(averaged=False).weights[-1].unique().tolist() == [0.0]


def test_importing_what_a_fit_needs_is_over_with_torch_itself() -> None:
    """``torch.optim`` would import its compiler, which takes as long again."""
    code = """
import sys, torch
import numpy as np
from sortal.models.family import FitRequest, Rows
from sortal.models.neural import family
before = {name for name in sys.modules if name.startswith("torch")}
family.fit(FitRequest(Rows(np.arange(40.0).reshape(20, 2), np.arange(20) % 2), 2, seed=0), {"epochs": 2})
print(len({name for name in sys.modules if name.startswith("torch")} - before))
"""
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(process.stdout) < 10


def test_it_takes_one_thread_and_leaves_as_many_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[int] = []
    step = Steps.step
    monkeypatch.setattr(Steps, "step", lambda self: (threads.append(torch.get_num_threads()), step(self)))
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    family.fit(FitRequest(circles(40, 0), 2, seed=0, resources=Resources(threads=3)), SMALL)
    after = torch.get_num_threads()
    torch.set_num_threads(before)
    assert set(threads) == {1}
    assert after == 3


@pytest.mark.parametrize("share", [0.0, 0.15, 0.5])
def test_dropout_leaves_out_its_share_and_keeps_the_mean(share: float) -> None:
    output = dropout(torch.ones(2, 1_001, 50), share, torch.Generator().manual_seed(0))
    keep_share = 1 - round(256 * share) / 256
    assert sorted(set(output.flatten().tolist())) == pytest.approx([0.0, 1 / keep_share] if share else [1.0])
    # Four standard errors of a share of 100,100 numbers.
    assert float((output > 0).float().mean()) == pytest.approx(
        keep_share, abs=4 * math.sqrt(keep_share * (1 - keep_share) / 100_100)
    )
    assert float(output.mean()) == pytest.approx(1, abs=0.02)


def test_the_clock_says_how_many_epochs_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    train = circles(512, 0)

    def epochs(seconds: float, a_step: float) -> object:
        monkeypatch.setattr(training_loop, "typical", lambda step, times: a_step)
        request = FitRequest(train, 2, seed=0, seconds=seconds)
        return family.fit(request, {"width": 8, "hidden": 1, "members": 1}).effort["epochs"]

    # Two steps an epoch.
    assert epochs(1_000.0, a_step=1.0) == EPOCHS
    assert epochs(2 * 20.0 / MARGIN + 2, a_step=1.0) in (20, 21)
    with pytest.raises(OutOfTime) as short:
        epochs(20.0, a_step=1.0)
    assert short.value.needed == pytest.approx(2 * FEWEST_EPOCHS / MARGIN, abs=1)


def test_without_a_clock_a_share_of_the_work_is_a_share_of_the_epochs() -> None:
    request = FitRequest(circles(64, 0), 2, seed=0, share=0.5)
    assert family.fit(request, {"width": 4, "hidden": 1, "members": 1}).effort["epochs"] == EPOCHS // 2


def test_a_fit_ends_with_its_seconds_and_has_made_an_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted = family.fit(FitRequest(circles(100, 0), 2, seed=0, seconds=1e-6), SMALL)
    assert fitted.effort == {"epochs": 16, "best_epoch": 1}


def test_what_a_signal_raises_ends_a_fit_and_leaves_torch_as_it_was() -> None:
    before, start = torch.get_num_threads(), time.monotonic()
    with pytest.raises(TimeUp), interrupted_after(0.3):
        family.fit(FitRequest(circles(20_000, 0), 2, seed=0), {})
    assert time.monotonic() - start < 5
    assert torch.get_num_threads() == before


def test_torch_is_not_begun_to_be_imported_without_the_time_for_it() -> None:
    """In a process where it is not imported yet."""
    code = f"""
import sys
import numpy as np
from sortal.models.family import FitRequest, OutOfTime, Rows
from sortal.models.neural import family
try:
    family.fit(FitRequest(Rows(np.eye(2), np.array([0, 1])), 2, seed=0, seconds={IMPORTING - 1}), {{}})
except OutOfTime as short:
    print(short.needed, "torch" in sys.modules, "sklearn" in sys.modules)
"""
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert process.stdout.split() == [str(IMPORTING), "False", "False"]


def test_where_torch_is_not_installed_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sortal.models.family.find_spec", lambda name: None)
    assert family.refusal(Size(100, 5, 2)) == "torch is not installed: pip install 'sortal[neural]'"


def test_large_tables_are_not_for_it() -> None:
    assert family.refusal(Size(20_000, 500, 100)) == ""
    assert family.refusal(Size(20_001, 5, 2)) == "takes at most 20,000 rows"
