"""Erasing: only the selection moves, one step is the paper's, killed runs end in the same bytes."""

from __future__ import annotations

import json
import math
import re

import pytest
import torch

import probekit
from probekit.erasure import apply_delta, erase, fingerprint
from probekit.erasure.objectives import direction
from probekit.erasure.target import Target
from probekit.errors import InterruptedRun
from tests.erasure.conftest import make_facts
from tests.tiny import tiny_subject

EASY = {"lr": 3e-3, "max_steps": 60, "check_every": 5, "retain_budget": 1.0}


def moved(before, after):
    return {name for name in before if before[name] != after[name]}


def answer_rows(subject, question):
    """Ids, and positions before each answer token: a plain byte tokenizer's own arithmetic."""
    ids = subject.tokenizer(question.prompt + question.answer)["input_ids"]
    n = len(subject.tokenizer(question.answer)["input_ids"])
    return ids, list(range(len(ids) - n - 1, len(ids) - 1))


@pytest.mark.parametrize("algorithm", ["rmu", "simnpo", "slug", "gradient-ascent"])
def test_only_the_selection_moves_and_the_subject_given_stays(taught, facts, middle, algorithm):
    before = fingerprint(taught)
    done = erase(
        taught, facts, source=["en"], algorithm=algorithm, selection=middle, max_steps=3, lr=1e-3
    )
    assert fingerprint(taught) == before
    found = moved(before, fingerprint(done.subject))
    assert found == set(done.contract.moved)
    assert found <= set(middle.names)
    assert found or done.record["steps"] == 0
    assert done.contract.ok
    assert not any(p.requires_grad for p in done.subject.model.parameters())


@pytest.mark.parametrize("algorithm", ["rmu", "simnpo", "gradient-ascent"])
def test_a_tiny_model_forgets_what_it_was_taught(taught, facts, middle, algorithm):
    assert {row["accuracy"] for row in erase_report(taught, facts)["forget"].values()} == {1.0}
    how = EASY | {"retain_weight": 0.0, "forget_target": 0.0}
    if algorithm == "rmu":
        how["lr"] = 2e-2
    done = erase(taught, facts, source=["en"], algorithm=algorithm, selection=middle, **how)
    assert done.stopped == "forget_target"
    assert done.after["forget"]["en"]["accuracy"] == 0.0
    assert done.before["forget"]["en"]["accuracy"] == 1.0


def erase_report(subject, facts):
    done = erase(subject, facts, source=["en"], algorithm="gradient-ascent", max_steps=1, lr=1e-12)
    return done.before


def test_retaining_keeps_more_than_not_retaining(taught, facts, middle):
    losses = [
        erase(
            taught,
            facts,
            source=["en", "de"],
            algorithm="simnpo",
            selection=middle,
            retain_weight=weight,
            forget_target=0.0,
            **EASY | {"max_steps": 20},
        ).after["retain"]["en"]["nll"]
        for weight in (0.0, 5.0)
    ]
    assert losses[1] < losses[0]


def test_held_out_languages_are_those_not_in_the_source(taught, facts, middle):
    done = erase(taught, facts, source=["de", "en"], selection=middle, max_steps=1)
    assert done.record["source"] == ["de", "en"]
    assert done.record["held_out"] == ["sw"]
    assert set(done.after["forget"]) == {"en", "de", "sw"}
    everything = erase(taught, facts, source=["en", "de", "sw"], selection=middle, max_steps=1)
    assert "no language of the facts is held out" in everything.record["notes"]


def test_training_never_reads_a_held_out_language(taught, facts, middle):
    without = facts.where(language=["en", "de"])
    done = [
        erase(taught, some, source=["en"], algorithm="simnpo", selection=middle, max_steps=4)
        for some in (facts, without)
    ]
    assert fingerprint(done[0].subject) == fingerprint(done[1].subject)


def test_one_step_of_rmu_is_the_plain_way(taught, middle):
    facts = make_facts(("en", "de"))
    c, alpha, lr, seed, read = 3.0, 7.0, 1e-2, 4, 1
    done = erase(
        taught,
        facts,
        source=["en"],
        algorithm="rmu",
        selection=middle,
        coefficient=c,
        retain_weight=alpha,
        lr=lr,
        seed=seed,
        max_steps=1,
        batch_tokens=10_000,
        retain_budget=1.0,
    )
    model = tiny_copy(taught)
    parameters = [model.get_parameter(name) for name in middle.names]
    texts = {
        part: [
            taught.tokenizer(q.text, return_tensors="pt")["input_ids"]
            for q in facts.where(part=part, language="en")
        ]
        for part in ("forget", "retain")
    }

    def at_read(network, ids):
        return network(ids, output_hidden_states=True).hidden_states[read + 1][0, 1:]

    with torch.no_grad():
        norms = torch.cat([at_read(taught.model, ids).norm(dim=-1) for ids in texts["forget"]])
    norm = norms.median()
    goal = torch.tensor(c * float(norm) * direction(32, seed=seed)).float()
    unit = norm**2 / 32
    forget = torch.cat([at_read(model, ids) - goal for ids in texts["forget"]])
    keep = torch.cat(
        [at_read(model, ids) - at_read(taught.model, ids).detach() for ids in texts["retain"]]
    )
    loss = ((forget**2).mean() + alpha * (keep**2).mean()) / unit
    one_plain_step(loss, parameters, lr=lr)
    assert done.record["losses"][0]["forget"] == pytest.approx(
        float((forget.detach() ** 2).mean() / unit), rel=1e-5
    )
    assert done.record["derived"]["median_norm"] == pytest.approx(float(norm), rel=1e-5)
    for name, expected in zip(middle.names, parameters, strict=True):
        found = done.subject.model.get_parameter(name)
        torch.testing.assert_close(found.detach(), expected.detach(), rtol=1e-4, atol=2e-5)


def test_one_step_of_simnpo_is_the_plain_way(taught, middle):
    facts = make_facts(("en", "de"))
    beta, gamma, weight, lr = 1.7, 0.3, 2.0, 1e-2
    done = erase(
        taught,
        facts,
        source=["en"],
        algorithm="simnpo",
        selection=middle,
        beta=beta,
        gamma=gamma,
        retain_weight=weight,
        lr=lr,
        max_steps=1,
        batch_tokens=10_000,
        retain_budget=1.0,
    )
    model = tiny_copy(taught)
    parameters = [model.get_parameter(name) for name in middle.names]

    def token_logp(question):
        ids, before = answer_rows(taught, question)
        logp = model(torch.tensor([ids])).logits[0].log_softmax(-1)
        return torch.stack([logp[at, ids[at + 1]] for at in before])

    means = torch.stack([token_logp(q).mean() for q in facts.where(part="forget", language="en")])
    npo = -(2 / beta) * torch.log(torch.sigmoid(-beta * means - gamma)).mean()
    keep = -torch.cat([token_logp(q) for q in facts.where(part="retain", language="en")]).mean()
    one_plain_step(npo + weight * keep, parameters, lr=lr)
    assert done.record["losses"][0]["forget"] == pytest.approx(npo.item(), rel=1e-4)
    assert done.record["losses"][0]["retain"] == pytest.approx(keep.item(), rel=1e-4)
    for name, expected in zip(middle.names, parameters, strict=True):
        found = done.subject.model.get_parameter(name)
        torch.testing.assert_close(found.detach(), expected.detach(), rtol=1e-4, atol=2e-5)


def tiny_copy(subject):
    import copy

    return copy.deepcopy(subject.model).requires_grad_(requires_grad=True)


def one_plain_step(loss, parameters, *, lr):
    for parameter, grad in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
        parameter.grad = grad
    torch.nn.utils.clip_grad_norm_(parameters, 1.0)
    torch.optim.AdamW(parameters, lr=lr, weight_decay=0.0).step()


def test_gradient_ascent_without_a_selection_moves_every_block_and_no_embedding(taught, facts):
    done = erase(taught, facts, source=["en"], algorithm="gradient-ascent", max_steps=2)
    blocks = {name for name in fingerprint(taught) if name.startswith("model.layers.")}
    assert set(done.contract.moved) == blocks


def test_gradient_ascent_stops_at_its_bound(taught, facts):
    how = {"lr": 1e-2, "max_steps": 30, "check_every": 30, "retain_budget": 1.0}
    low = erase(taught, facts, source=["en"], algorithm="gradient-ascent", bound=0.5, **how)
    high = erase(taught, facts, source=["en"], algorithm="gradient-ascent", **how)
    assert low.after["forget"]["en"]["nll"] < high.after["forget"]["en"]["nll"]
    assert high.record["derived"]["bound"] == pytest.approx(math.log(264))
    assert max(-row["forget"] for row in low.record["losses"]) <= 0.5


def test_a_broken_retain_budget_goes_back_to_the_check_before(taught, facts, middle):
    done = erase(
        taught,
        facts,
        source=["en"],
        algorithm="gradient-ascent",
        selection=middle,
        lr=3e-2,
        max_steps=40,
        check_every=1,
        retain_budget=0.0,
        forget_target=0.0,
    )
    assert done.stopped == "retain_budget"
    assert done.after["retain"]["en"]["accuracy"] == done.before["retain"]["en"]["accuracy"]
    assert done.record["steps"] == done.record["checks"][-2]["step"]


class Stopper:
    """Progress that presses Ctrl-C at a step."""

    def __init__(self, at):
        self.at = at

    def start(self, what, *, total, done):
        pass

    def step(self, done, note):
        if done == self.at:
            raise KeyboardInterrupt

    def say(self, message):
        pass


@pytest.mark.parametrize("algorithm", ["rmu", "simnpo", "slug"])
def test_a_killed_run_goes_on_and_ends_in_the_same_bytes(
    taught, facts, middle, algorithm, tmp_path
):
    how = {"algorithm": algorithm, "selection": middle, "source": ["en"], "lr": 2e-3}
    how |= {"max_steps": 9, "check_every": 2, "forget_target": 0.0, "retain_budget": 1.0}
    whole = erase(taught, facts, folder=tmp_path / "whole", **how)
    with pytest.raises(InterruptedRun, match="The same command resumes"):
        erase(taught, facts, folder=tmp_path / "cut", progress=Stopper(5), **how)
    assert not (tmp_path / "cut").exists()
    assert (tmp_path / "cut.partial").exists()
    again = erase(taught, facts, folder=tmp_path / "cut", **how)
    assert not (tmp_path / "cut.partial").exists()
    for name in ("model.safetensors", "erasure.json"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert again.record == whole.record


def test_resuming_does_not_start_again(taught, facts, middle, tmp_path):
    how = {"selection": middle, "source": ["en"], "max_steps": 8, "check_every": 3}
    how |= {"retain_budget": 1.0, "forget_target": 0.0}
    with pytest.raises(InterruptedRun):
        erase(taught, facts, folder=tmp_path / "cut", progress=Stopper(7), **how)
    seen = []

    class Told(Stopper):
        def start(self, what, *, total, done):
            seen.append(done)

    erase(taught, facts, folder=tmp_path / "cut", progress=Told(-1), **how)
    assert seen == [6]


def test_a_finished_folder_is_opened_not_made_again(taught, facts, middle, tmp_path):
    how = {"selection": middle, "source": ["en"], "max_steps": 2, "folder": tmp_path / "out"}
    first = erase(taught, facts, **how)
    second = erase(taught, facts, progress=Stopper(1), **how)
    assert second.record == first.record
    assert fingerprint(second.subject) == fingerprint(first.subject)


def test_the_folder_opens_as_a_model_and_says_what_moved(taught, facts, middle, tmp_path):
    done = erase(
        taught, facts, source=["en"], selection=middle, max_steps=2, folder=tmp_path / "out"
    )
    loaded = probekit.load(tmp_path / "out")
    assert fingerprint(loaded) == fingerprint(done.subject)
    record = json.loads((tmp_path / "out" / "erasure.json").read_text(encoding="utf-8"))
    hashes = record["tensors"]
    assert {name: pair[0] for name, pair in hashes.items()} == fingerprint(taught)
    assert {name: pair[1] for name, pair in hashes.items()} == fingerprint(loaded)
    assert record["schema_version"] == "erasure/1"
    assert record["target"]["names"] == list(middle.names)


def test_a_delta_on_its_base_is_the_whole_model(taught, facts, middle, tmp_path):
    how = {"source": ["en"], "selection": middle, "max_steps": 2}
    whole = erase(taught, facts, **how)
    erase(taught, facts, folder=tmp_path / "delta", delta=True, **how)
    before = fingerprint(taught)
    made = apply_delta(taught, tmp_path / "delta")
    assert fingerprint(made) == fingerprint(whole.subject)
    assert fingerprint(taught) == before
    assert not (tmp_path / "delta" / "model.safetensors").exists()


def test_a_delta_does_not_fit_another_base(taught, facts, middle, tmp_path):
    erase(
        taught,
        facts,
        source=["en"],
        selection=middle,
        max_steps=1,
        folder=tmp_path / "d",
        delta=True,
    )
    with pytest.raises(probekit.ModelError, match="made from another model"):
        apply_delta(tiny_subject("llama", seed=9), tmp_path / "d")
    with pytest.raises(probekit.ModelError, match="cannot be read"):
        apply_delta(taught, tmp_path)


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(taught, facts, middle):
    how = {"source": ["en", "de"], "selection": middle, "max_steps": 3, "batch_tokens": 40}
    first, again, other = (erase(taught, facts, seed=s, **how) for s in (1, 1, 2))
    assert fingerprint(first.subject) == fingerprint(again.subject)
    assert fingerprint(first.subject) != fingerprint(other.subject)


def test_the_cache_changes_no_byte(taught, facts):
    deep = Target(("model.layers.2.mlp.down_proj.weight",), read_layer=2)
    how = {"source": ["en"], "selection": deep, "max_steps": 3}
    kept, none = (erase(taught, facts, cache_bytes=size, **how) for size in (1 << 24, 0))
    assert fingerprint(kept.subject) == fingerprint(none.subject)


def test_bfloat16_trains_through_float32_masters(taught, facts, middle):
    from dataclasses import replace

    half = replace(taught, model=tiny_copy(taught).bfloat16().requires_grad_(requires_grad=False))
    how = {"source": ["en"], "selection": middle, "lr": 1e-5, "max_steps": 200}
    how |= {"check_every": 200, "retain_budget": 1.0, "allow_unknown": True}
    done = erase(half, facts, algorithm="gradient-ascent", **how)
    assert done.contract.moved == middle.names  # steps of 1e-5 alone would all be rounded away
    assert done.subject.dtype == torch.bfloat16


def test_slug_moves_one_block_and_says_why(taught, facts):
    names = tuple(f"model.layers.{b}.self_attn.o_proj.weight" for b in (0, 1, 2))
    done = erase(
        taught, facts, source=["en"], algorithm="slug", selection=Target(names), retain_budget=1.0
    )
    assert done.contract.moved == (names[2],)
    assert done.record["derived"]["block"] == 2
    assert [row["block"] for row in done.record["derived"]["blocks"]] == [0, 1, 2]
    assert done.stopped == "forget_target"
    assert done.after["forget"]["en"]["accuracy"] <= done.record["forget_bar"]


def test_max_seconds_stops(taught, facts, middle):
    done = erase(taught, facts, source=["en"], selection=middle, max_seconds=1e-9)
    assert done.stopped == "max_seconds"
    assert done.record["steps"] <= 1


def test_chance_is_the_bar_unless_said(taught, facts, middle):
    how = {"source": ["en"], "selection": middle, "max_steps": 1}
    assert erase(taught, facts, **how).record["forget_bar"] == 0.5
    assert erase(taught, make_facts(choices=False), **how).record["forget_bar"] == 0.0
    assert erase(taught, facts, forget_target=0.25, **how).record["forget_bar"] == 0.25


def test_messages_are_one_line(taught, facts, middle):
    with pytest.raises(probekit.InputError) as caught:
        erase(taught, facts, source=["xx"], selection=middle)
    assert re.fullmatch(r"[^\n]+", str(caught.value))
