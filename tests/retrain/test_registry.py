"""The registry: what was champion when, by whom, and the way back; in agreement with the file that is served."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from sortal.core.errors import ArtifactError, DataError, OptionError
from sortal.core.interval import Estimate
from sortal.retrain.gate import Reason, Verdict
from sortal.retrain.registry import Registry
from sortal.serve.deployment import Deployment, read_model
from sortal.serve.swap import Swap
from tests.conftest import Sortal
from tests.serve.process import a_model

PASSED = Verdict(True, 9, "errors", 0.2, 0.1, Estimate(0.1), 21.0, 20.0, (Reason("G101", True, "better"),))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """What the registry needs of three runs."""
    folder = tmp_path_factory.mktemp("runs")
    for at in range(3):
        (folder / str(at)).mkdir()
        a_model(intercept=-1.0 * at).save(folder / str(at) / "model.sortal")
        (folder / str(at) / "recipe.toml").write_text('target = "Churn"\n')
    return [folder / str(at) for at in range(3)]


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def champion_sha256(registry: Registry) -> str:
    return sha256(registry.folder / "champion.sortal")


@pytest.fixture
def registry(tmp_path: Path, runs: list[Path]) -> Registry:
    """The first run is the champion, the second the challenger."""
    new_registry = Registry(tmp_path / "models")
    with new_registry.changing():
        new_registry.add(runs[0], "the first")
        new_registry.add(runs[1], "newer rows")
    return new_registry


def test_a_network_beside_a_model_goes_with_it(tmp_path: Path, runs: list[Path]) -> None:
    run = Path(shutil.copytree(runs[0], tmp_path / "run"))
    (run / "network-0123456789abcdef.onnx").write_bytes(b"many weights")
    registry = Registry(tmp_path / "models")
    with registry.changing():
        version = registry.add(run, "")
    for folder in (registry.folder, registry.file(version).parent):
        assert (folder / "network-0123456789abcdef.onnx").read_bytes() == b"many weights"


def test_the_first_is_champion_and_a_promotion_can_be_taken_back_and_forth(
    registry: Registry, runs: list[Path]
) -> None:
    first, second = (sha256(run / "model.sortal") for run in runs[:2])
    aliases = registry.aliases
    assert (aliases.champion, aliases.challenger, aliases.previous) == (first, second, None)
    assert (champion_sha256(registry), sha256(registry.folder / "challenger.sortal")) == (first, second)
    with pytest.raises(OptionError, match="none to go back to"):
        registry.roll_back()
    with registry.changing():
        registry.promote(PASSED, "monthly")
    assert (champion_sha256(registry), registry.aliases.champion, registry.aliases.previous) == (second, second, first)
    assert not (registry.folder / "challenger.sortal").exists()
    for expected in (first, second):
        with registry.changing():
            assert registry.roll_back() == expected == champion_sha256(registry) == registry.aliases.champion
    events = registry.events()
    assert [event.what for event in events] == ["added", "added", "promoted", "rolled back", "rolled back"]
    assert events[2].verdict == PASSED
    assert all(event.by for event in events)


def test_it_follows_a_service_that_rolls_back(registry: Registry, runs: list[Path]) -> None:
    path = registry.folder / "champion.sortal"
    deployment = Deployment(read_model(path))
    swap = Swap(deployment, path)
    with registry.changing():
        registry.promote(PASSED, "")
    swap.look()
    assert deployment.champion.sha256 == registry.aliases.champion
    swap.roll_back()
    with registry.changing():
        assert registry.aliases.champion == sha256(runs[0] / "model.sortal") == champion_sha256(registry)
    assert registry.events()[-1].what == "followed"


def test_a_promotion_that_was_cut_short_is_finished(registry: Registry, runs: list[Path]) -> None:
    """The file is written first: what was killed after that has promoted."""
    shutil.copyfile(runs[1] / "model.sortal", registry.folder / "champion.sortal")
    with registry.changing():
        pass
    first, second = (sha256(run / "model.sortal") for run in runs[:2])
    aliases = registry.aliases
    assert (aliases.champion, aliases.challenger, aliases.previous) == (second, None, first)


def test_a_foreign_file_is_refused_and_a_lost_one_comes_back(registry: Registry, runs: list[Path]) -> None:
    path = registry.folder / "champion.sortal"
    shutil.copyfile(runs[2] / "model.sortal", path)
    with pytest.raises(DataError, match="is no version of this registry"), registry.changing():
        pass
    path.unlink()
    with registry.changing():
        assert champion_sha256(registry) == registry.aliases.champion


def test_what_cannot_be_used_is_a_sentence(registry: Registry, runs: list[Path], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has this model already"), registry.changing():
        registry.add(runs[1], "")
    with pytest.raises(DataError, match=r"no folder of a run: it has no model\.sortal"):
        registry.add(tmp_path, "")
    other = tmp_path / "other"
    shutil.copytree(runs[0], other)
    a_model(columns=("age", "income")).save(other / "model.sortal")
    with pytest.raises(ArtifactError, match="needs columns that the model that answers does not have"):
        registry.add(other, "")
    with pytest.raises(DataError, match="is no registry"):
        _ = Registry(tmp_path / "none").aliases
    (registry.folder / "aliases.json").write_text("{")
    with pytest.raises(DataError, match=r"aliases\.json"):
        _ = registry.aliases


def test_the_commands_list_and_roll_back(tmp_path: Path, runs: list[Path], sortal: Sortal) -> None:
    folder = tmp_path / "models"
    result = sortal("registry", folder, "--add", runs[0])
    assert result.code == 0
    assert "champion" in result.out
    assert sortal("registry", folder, "--add", runs[1], "--why", "by hand").code == 0
    listing = sortal("registry", folder, "--json").json
    assert [version["aliases"] for version in listing["versions"]] == [["challenger"], ["champion"]]
    assert listing["versions"][0]["why"] == "by hand"
    assert [event["what"] for event in listing["events"]] == ["added", "added"]
    refusal = sortal("rollback", folder)
    assert (refusal.code, "none to go back to" in refusal.err) == (2, True)
    with Registry(folder).changing():
        Registry(folder).promote(PASSED, "")
    back = sortal("rollback", folder, "--why", "complaints")
    assert (back.code, json.loads(json.dumps(back.out)).startswith("champion is ")) == (0, True)
    assert sortal("registry", folder, "--json").json["events"][-1]["why"] == "complaints"
    assert (sortal("registry", tmp_path / "none").code, (tmp_path / "none").exists()) == (2, False)
