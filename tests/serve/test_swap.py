"""Another model in the place of the one that answers: by a request, by its file, and back."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sortal.artifact.model import Model
from sortal.artifact.sign import sign, signature_of
from sortal.core.errors import ArtifactError
from sortal.serve.deployment import Deployment, read_model
from sortal.serve.swap import ModelFiles, NothingBeforeError, Swap
from tests.serve.process import ROW, Running, a_model, serving

TOKEN = "0123456789abcdef"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture(scope="module")
def contents(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes, bytes]:
    """Three models of the same task."""
    folder = tmp_path_factory.mktemp("models")
    for at in range(3):
        a_model(intercept=-1.0 * at).save(folder / f"{at}.sortal")
    first, second, third = ((folder / f"{at}.sortal").read_bytes() for at in range(3))
    return first, second, third


def file_of(folder: Path, content: bytes) -> Path:
    path = folder / "churn.sortal"
    path.write_bytes(content)
    return path


def swapping(path: Path, verify: Path | None = None) -> tuple[Deployment, Swap]:
    """What one worker has."""
    deployment = Deployment(read_model(path, verify))
    return deployment, Swap(deployment, path, verify)


def test_a_swap_changes_the_file_and_keeps_the_former_one(tmp_path: Path, contents: tuple[bytes, ...]) -> None:
    path = file_of(tmp_path, contents[0])
    deployment, swap = swapping(path)
    result = swap.install(ModelFiles(contents[1]))
    assert (result.former, result.model) == (sha256(contents[0]), sha256(contents[1]))
    assert deployment.champion.sha256 == result.model
    assert deployment.champion.name == "churn"
    assert path.read_bytes() == contents[1]
    assert (tmp_path / "churn.previous.sortal").read_bytes() == contents[0]


def test_a_model_that_is_replaced_while_it_is_read_is_what_was_read(
    tmp_path: Path, contents: tuple[bytes, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its hash, by which the log names it, is of the very bytes that answer."""
    path, read_bytes = file_of(tmp_path, contents[0]), Path.read_bytes

    def read_and_replace(file: Path) -> bytes:
        content = read_bytes(file)
        file.write_bytes(contents[1])
        return content

    monkeypatch.setattr(Path, "read_bytes", read_and_replace)
    served = read_model(path)
    monkeypatch.undo()
    assert served.sha256 == sha256(contents[0])
    (tmp_path / "old.sortal").write_bytes(contents[0])
    answer, of_old, of_new = (
        model.predict_proba({"tenure": 40.0}).tolist()
        for model in (served.model, read_model(tmp_path / "old.sortal").model, read_model(path).model)
    )
    assert answer == of_old != of_new


def test_a_rollback_goes_back_and_forth(tmp_path: Path, contents: tuple[bytes, ...]) -> None:
    deployment, swap = swapping(file_of(tmp_path, contents[0]))
    with pytest.raises(NothingBeforeError):
        swap.roll_back()
    swap.install(ModelFiles(contents[1]))
    for expected in (0, 1, 0):
        assert swap.roll_back().model == deployment.champion.sha256 == sha256(contents[expected])


def test_every_worker_follows_the_file_and_knows_the_same_way_back(tmp_path: Path, contents: tuple[bytes, ...]) -> None:
    path = file_of(tmp_path, contents[0])
    one, other = swapping(path), swapping(path)
    one[1].install(ModelFiles(contents[1]))
    one[1].install(ModelFiles(contents[2]))
    other[1].look()  # it saw only the second of them
    assert other[0].champion.sha256 == sha256(contents[2])
    assert other[1].roll_back().model == sha256(contents[1])
    one[1].look()
    assert one[0].champion.sha256 == sha256(contents[1])


def test_a_file_that_is_replaced_is_taken_and_the_former_one_kept(tmp_path: Path, contents: tuple[bytes, ...]) -> None:
    path = file_of(tmp_path, contents[0])
    deployment, swap = swapping(path)
    path.write_bytes(contents[1])
    swap.look()
    assert deployment.champion.sha256 == sha256(contents[1])
    assert swap.roll_back().model == sha256(contents[0])


def with_zeros(content: bytes) -> bytes:
    return content[:-200] + bytes(200)


def another_task(folder: Path) -> bytes:
    a_model(columns=("tenure",)).save(folder / "narrow.sortal")
    return (folder / "narrow.sortal").read_bytes()


@pytest.mark.parametrize("spoil", [with_zeros, lambda content: content[:-100], lambda content: b""])
def test_a_bad_file_keeps_the_former_model(
    tmp_path: Path, contents: tuple[bytes, ...], spoil: Callable[[bytes], bytes], caplog: pytest.LogCaptureFixture
) -> None:
    path = file_of(tmp_path, contents[0])
    deployment, swap = swapping(path)
    with pytest.raises(ArtifactError):
        swap.install(ModelFiles(spoil(contents[1])))
    assert path.read_bytes() == contents[0]
    path.write_bytes(spoil(contents[1]))
    for _ in range(2):
        swap.look()
    assert deployment.champion.sha256 == sha256(contents[0])
    assert [record.message for record in caplog.records] == ["the new model file is not used; the former model goes on"]
    path.write_bytes(contents[1])
    swap.look()
    assert deployment.champion.sha256 == sha256(contents[1])


def test_a_model_that_asks_for_more_than_the_former_one_does_not_follow(
    tmp_path: Path, contents: tuple[bytes, ...]
) -> None:
    path = file_of(tmp_path, another_task(tmp_path))
    deployment, swap = swapping(path)
    with pytest.raises(
        ArtifactError, match=r"needs columns that the model that answers does not have.*'MonthlyCharges'"
    ):
        swap.install(ModelFiles(contents[0]))
    wide = swapping(file_of(tmp_path, contents[0]))
    assert wide[1].install(ModelFiles(another_task(tmp_path))).model == wide[0].champion.sha256
    assert deployment.champion.model.schema.names == ("tenure", "Contract", "Churn")


def with_other_classes(model: Model) -> Model:
    from dataclasses import replace

    task = replace(model.task, classes=("Never", "Yes"))
    return replace(model, task=task, decision=replace(model.decision, classes=("Never", "Yes")))


def test_a_model_of_other_classes_does_not_follow(tmp_path: Path, contents: tuple[bytes, ...]) -> None:
    with_other_classes(a_model()).save(tmp_path / "other.sortal")
    _, swap = swapping(file_of(tmp_path, contents[0]))
    with pytest.raises(ArtifactError, match=r"one of 'Never', 'Yes', the model that answers .* 'No', 'Yes'"):
        swap.install(ModelFiles((tmp_path / "other.sortal").read_bytes()))


def test_signatures_come_with_the_model_and_go_back_with_it(tmp_path: Path, contents: tuple[bytes, ...]) -> None:
    pytest.importorskip("cryptography")
    key, public = keys(tmp_path)
    path, new = file_of(tmp_path, contents[0]), tmp_path / "new.sortal"
    sign(path, key)
    deployment, swap = swapping(path, public)
    new.write_bytes(contents[1])
    signature = sign(new, key).read_bytes()
    with pytest.raises(ArtifactError, match="has no signature"):
        swap.install(ModelFiles(contents[1]))
    with pytest.raises(ArtifactError, match="is not as it was signed"):
        swap.install(ModelFiles(contents[2], signature))
    swap.install(ModelFiles(contents[1], signature))
    assert signature_of(path).read_bytes() == signature
    assert swap.roll_back().model == sha256(contents[0])
    shutil.copy(new, path)
    swap.look()  # the signature has not come yet
    assert deployment.champion.sha256 == sha256(contents[0])
    shutil.copy(signature_of(new), signature_of(path))
    swap.look()
    assert deployment.champion.sha256 == sha256(contents[1])


def keys(folder: Path) -> tuple[Path, Path]:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    private = Ed25519PrivateKey.generate()
    key, public = folder / "key.pem", folder / "public.pem"
    key.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return key, public


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, contents: tuple[bytes, ...]) -> Iterator[Running]:
    """Two workers, with a token."""
    folder = tmp_path_factory.mktemp("swapped")
    (folder / "token").write_text(TOKEN + "\n")
    options = ("--log", "none", "--workers", 2, "--token-file", folder / "token")
    with serving(file_of(folder, contents[0]), *options, token=TOKEN) as running:
        running.wait_for("ready", times=2)
        yield running


def model_hashes(server: Running, n_requests: int = 40) -> set[str]:
    """Hashes of the models that answer."""
    return {server.predict(ROW).json["model"] for _ in range(n_requests)}


BYTES = "application/octet-stream"


def test_a_service_of_several_workers_swaps_by_request_and_back(
    server: Running, contents: tuple[bytes, ...], tmp_path: Path
) -> None:
    assert model_hashes(server) == {sha256(contents[0])}
    answer = server.ask("POST", "/v1/admin/model", contents[1], content_type=BYTES)
    assert answer.status == 200
    assert answer.json == {"former": sha256(contents[0]), "model": sha256(contents[1])}
    server.wait_for("model swapped", times=2)
    assert model_hashes(server) == {sha256(contents[1])}
    refusal = server.ask("POST", "/v1/admin/model", with_zeros(contents[2]), content_type=BYTES)
    assert refusal.status == 422
    assert refusal.headers["content-type"] == "application/problem+json"
    assert str(tmp_path.parent) not in refusal.body.decode()
    assert server.ask("POST", "/v1/admin/rollback").json["model"] == sha256(contents[0])
    server.wait_for("model swapped", times=4)
    assert model_hashes(server) == {sha256(contents[0])}


def test_a_service_takes_a_file_that_is_put_in_its_place(tmp_path: Path, contents: tuple[bytes, ...]) -> None:
    path = file_of(tmp_path, contents[0])
    with serving(path, "--log", "none") as running:
        path.write_bytes(contents[1][:-50])
        assert "why" in running.wait_for("the new model file is not used; the former model goes on")
        assert model_hashes(running, 1) == {sha256(contents[0])}
        path.write_bytes(contents[1])
        assert running.wait_for("model swapped")["model"] == sha256(contents[1])
        assert model_hashes(running, 1) == {sha256(contents[1])}
        refusal = running.ask("POST", "/v1/admin/rollback")
        assert refusal.status == 403
        assert "--token-file" in refusal.json["detail"]


@pytest.mark.parametrize("path", ["/v1/admin/model", "/v1/admin/rollback"])
def test_only_who_has_the_token_swaps(server: Running, path: str) -> None:
    for header in ("", "Bearer another-token-of-16"):
        assert server.ask("POST", path, b"", content_type=BYTES, Authorization=header).status == 401
