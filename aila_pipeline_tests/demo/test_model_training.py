"""The demo model's training: what its optimisers and its network promise. Runs where PyTorch is, as the makers do."""

# mypy: disable-error-code="import-not-found, no-untyped-call, no-any-return"

from __future__ import annotations

from typing import Any

import pytest

torch: Any = pytest.importorskip("torch", reason="needs PyTorch, as the makers do")

from tools.demo_model.learning import Learning  # noqa: E402 - after the look for torch
from tools.demo_model.muon import Muon  # noqa: E402 - as above
from tools.demo_model.network import Sizes, Whisper  # noqa: E402 - as above


def a_network() -> Whisper:
    torch.manual_seed(1)
    sizes = Sizes(tokens=1540, first_timestamp=39, phones=5, words=30, encoder_layers=2, decoder_layers=2)
    return Whisper(sizes)


def heard(network: Whisper) -> Any:
    """Scores of the next token after each of three, for two seconds of noise."""
    mel = torch.randn(1, 80, 200, generator=torch.Generator().manual_seed(2))
    return network.decode(torch.tensor([[31, 4, 5]]), network.encode(mel)[0])[0]


def learn(network: Whisper, learning: Learning, steps: range) -> None:
    for step in steps:
        learning.clear()
        (heard(network) * (step + 1)).square().mean().backward()
        learning.step(1e-3)


def test_a_deeper_network_hears_at_first_as_the_one_it_was_made_of() -> None:
    network = a_network()
    deeper = network.deepened(4, 3)
    assert (len(deeper.encoder), len(deeper.decoder)) == (4, 3)
    assert torch.equal(heard(deeper), heard(network))


def test_the_layers_that_were_added_learn() -> None:
    deeper = a_network().deepened(3, 3)
    learn(deeper, Learning(deeper), range(2))
    for block in (deeper.encoder[2], deeper.decoder[1]):
        assert all(layer.weight.abs().max() > 0 for layer in block.outputs())


def test_every_direction_of_a_matrix_is_changed_by_about_as_much_whatever_its_gradient() -> None:
    matrix = torch.nn.Parameter(torch.zeros(64, 16))
    steep, flat = torch.linspace(1, 100, 16), torch.randn(64, 16, generator=torch.Generator().manual_seed(3))
    matrix.grad = flat * steep
    Muon([matrix]).step(1e-2)
    changed = torch.linalg.svdvals(matrix.detach())
    assert changed.max() / changed.min() < 2
    assert torch.linalg.svdvals(matrix.grad).max() / torch.linalg.svdvals(matrix.grad).min() > 20
    assert float(matrix.detach().square().mean().sqrt()) == pytest.approx(0.2 * 1e-2, rel=0.2)  # as AdamW's updates


def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been() -> None:
    whole, stopped = a_network(), a_network()
    learning = Learning(whole)
    learn(whole, learning, range(4))
    first = Learning(stopped)
    learn(stopped, first, range(2))
    again = a_network()
    again.load_state_dict(stopped.state_dict())
    second = Learning(again)
    second.go_on(first.kept())
    learn(again, second, range(2, 4))
    for name, value in whole.state_dict().items():
        assert torch.equal(again.state_dict()[name], value), name
    averaged, averaged_again = learning.kept()["averaged"], second.kept()["averaged"]
    assert all(torch.equal(averaged_again[name], value) for name, value in averaged.items())


def test_the_average_lies_between_the_weights_that_were() -> None:
    network = a_network()
    before = network.conv1.weight.detach().clone()
    learning = Learning(network)
    learn(network, learning, range(1))
    after, averaged = network.conv1.weight.detach(), learning.kept()["averaged"]["conv1.weight"]
    assert torch.allclose(averaged, (before + after) / 2, atol=1e-7)
    assert not torch.equal(before, after)
