"""A step of RMU and of SimNPO against the plain way: a whole forward and backward, all logits.

Built-in model in float32 on the CPU; planted facts in English and Spanish, down projections of
blocks 6 to 8, read block 8. The plain way runs every block and unembeds every position, as a
trainer does. Both take the same batches; the optimizer's step is in both. One process, by turns.
"""

from __future__ import annotations

from statistics import median
from typing import Any

import torch

from benchmarks.common import Row, at_least, speed_ratio, spread, take_turns
from probekit import Subject, load
from probekit.erasure.losses import cross_entropy, mean_by_text, simnpo, squared_distance
from probekit.erasure.objectives import Material, make_objective
from probekit.erasure.settings import EraseSettings
from probekit.erasure.tail import Tail
from probekit.erasure.texts import TextBatch, make_batches, read_items
from probekit.erasure.working_copy import trainable, working_copy
from probekit.facts import planted_facts

BLOCKS, READ = (6, 7, 8), 8
RMU, SIMNPO, PLAIN_RMU, PLAIN_SIMNPO = "rmu", "simnpo", "plain rmu", "plain simnpo"


class Task:
    """One batch to forget and one to retain, and four ways to make a step with them."""

    def __init__(self, base: Subject, budget: int) -> None:
        self.base = base
        facts = planted_facts(("en", "es")).where(form="statement")
        names = tuple(f"{base.anatomy.block(b)}.mlp.down_proj.weight" for b in BLOCKS)
        self.copy = working_copy(base, names)
        self.own = trainable(self.copy)
        forget, retain = (
            make_batches(
                base, read_items(base, facts.where(part=part))[: budget // 16], token_budget=budget
            )[:1]
            for part in ("forget", "retain")
        )
        self.forget, self.retain = forget[0], retain[0]
        tail = Tail(self.copy, BLOCKS[0], cache_bytes=1 << 28)
        material = Material(tail, forget, retain, Tail(base, 0, cache_bytes=0))
        self.objectives = {
            name: make_objective(material, EraseSettings.of(name, {}), read_layer=READ)[0]
            for name in (RMU, SIMNPO)
        }
        self.optimizer = torch.optim.AdamW(list(self.own.values()), lr=1e-9, foreach=False)

    def step(self, loss: torch.Tensor) -> None:
        """Backward and one step."""
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()

    def ours(self, name: str) -> None:
        """One step of the library's objective."""
        self.step(self.objectives[name](0)[0])

    def _whole(self, subject: Subject, batch: TextBatch) -> Any:
        return subject.model(**batch.inputs, use_cache=False, output_hidden_states=True)

    def plain_rmu(self) -> None:
        """Whole forwards of the model that moves and of the frozen one."""
        goal = torch.ones(self.base.anatomy.d_model)
        hidden = self._whole(self.copy, self.forget).hidden_states[READ + 1]
        held = self._whole(self.copy, self.retain).hidden_states[READ + 1]
        with torch.no_grad():
            before = self._whole(self.base, self.retain).hidden_states[READ + 1]
        self.step(
            squared_distance(hidden, goal, self.forget.content)
            + squared_distance(held, before, self.retain.content)
        )

    def plain_simnpo(self) -> None:
        """All logits of both batches."""
        found = []
        for batch in (self.forget, self.retain):
            logp = self._whole(self.copy, batch).logits.float().log_softmax(-1)
            at = logp[batch.rows, batch.before]
            found.append(at.gather(1, batch.targets[:, None])[:, 0])
        mean = mean_by_text(found[0], self.forget.rows, len(self.forget.items))
        self.step(simnpo(mean, beta=2.5) + cross_entropy(found[1]))


def measure(*, quick: bool = False) -> dict[str, Any]:
    """Time everyone; ``quick`` only shows that it runs."""
    task = Task(load("builtin", dtype="float32", device="cpu"), 64 if quick else 256)
    contestants = {
        RMU: lambda: task.ours(RMU),
        PLAIN_RMU: task.plain_rmu,
        SIMNPO: lambda: task.ours(SIMNPO),
        PLAIN_SIMNPO: task.plain_simnpo,
    }
    seconds = take_turns(contestants, repeats=1 if quick else 5)
    return {
        "tokens": task.forget.n_tokens + task.retain.n_tokens,
        "seconds": seconds,
        "rmu": speed_ratio(seconds, RMU, PLAIN_RMU),
        "simnpo": speed_ratio(seconds, SIMNPO, PLAIN_SIMNPO),
    }


def rows(result: dict[str, Any]) -> list[Row]:
    """Seconds a step, and how many times as fast as the plain way."""
    found = []
    for name in (RMU, SIMNPO):
        ratio, took = result[name], median(result["seconds"][name])
        found += [
            Row("erase", f"{name}, one step of {result['tokens']} tokens", f"{took:.2f} s"),
            at_least(
                Row("erase", f"{name} / whole forward and backward, speed", spread(ratio)),
                ratio["median"],
                target=2,
            ),
        ]
    return found
