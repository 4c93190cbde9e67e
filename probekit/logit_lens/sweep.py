"""One block of vectors against the whole vocabulary, chunk by chunk in cache.

What makes it cost little more than the products: logits are counted in bits, because powers of two
take half the time of powers of e; the shift that keeps them from overflowing is taken from the
first chunk and seldom moved; the masses of classes are a product with the members of all classes
but the commonest, which has the rest; the cross term of the divergence is one batched product; and
the best tokens are looked for only in the rows whose best a chunk betters.
"""

from __future__ import annotations

from math import log2
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch
    from jaxtyping import Float
    from torch import Tensor

    from probekit.models.head import Unembedding

    Rows = Float[Tensor, "positions layers width"]

_BITS = 1.0 / np.log(2.0)
#: How far, in bits, a logit may rise above its row's shift before the sums are rescaled.
_HEADROOM = 30.0
#: Rows of one sweep and numbers of one buffer: a CPU's caches hold them, a GPU is filled by them.
_ROWS = {"cpu": 304}
_NUMBERS = {"cpu": 304 << 11}
_GPU_ROWS, _GPU_NUMBERS = 8192, 1 << 26


def block_positions(n_layers: int, device: torch.device) -> int:
    """Positions of one sweep: read so many at a time, or a multiple, and none is half empty."""
    return max(1, _ROWS.get(device.type, _GPU_ROWS) // n_layers)


class Members:
    """Which tokens are in which class, of all classes but the commonest.

    Only those are added up: the commonest class has what is left of the whole, and a vocabulary is
    mostly undetermined.

    Parameters
    ----------
    classes : tensor of shape (vocabulary,)
        0 … n_classes − 1.
    n_classes
        Number of classes.
    """

    def __init__(self, classes: Tensor, n_classes: int) -> None:
        import torch

        self.n_classes = n_classes
        # columns beyond the classes stay zero: a product of 16 columns takes half the time of 13's
        self.columns = -(-n_classes // 16) * 16
        self.commonest = int(torch.bincount(classes, minlength=n_classes).argmax())
        self._tokens = (classes != self.commonest).nonzero()[:, 0]
        self._classes = classes[self._tokens]
        self._in_order: np.ndarray = self._tokens.cpu().numpy()

    def sums(self, powers: Tensor, start: int) -> Tensor:
        """Sums of a chunk over each class, tensor (rows, columns); none for the commonest."""
        import torch

        first, last = np.searchsorted(self._in_order, [start, start + powers.shape[1]])
        tokens, classes = self._tokens[first:last], self._classes[first:last]
        members = torch.zeros(len(tokens), self.columns, device=powers.device)
        members.scatter_(1, classes[:, None], 1.0)
        return powers.index_select(1, tokens - start) @ members

    def shares(self, sums: Tensor, total: Tensor) -> Tensor:
        """Mass of every class; they sum to 1."""
        found = sums[:, : self.n_classes] / total[:, None]
        found[:, self.commonest] = (1.0 - found.sum(1)).clamp(min=0)
        return found


class Sweep:
    """One block of rows against the whole vocabulary.

    With ``z`` a logit in bits less the row's shift, and ``f`` the last layer of the position, the
    sums are ``S_c = Σ_{v in c} 2^z``, ``own = Σ 2^z z`` and ``cross = Σ 2^{z_f} z``.
    """

    def __init__(
        self, rows: Rows, head: Unembedding, *, targets: np.ndarray, ranks: bool, top: int
    ) -> None:
        import torch

        self.head, self.top, self.ranks = head, top, ranks
        self.n_positions, self.n_layers, width = rows.shape
        self.rows = rows.reshape(-1, width).to(head.weight.dtype)
        # logits in bits are `gain` times what `_raw` returns, which has the order of the logits
        self.gain = _BITS * (head.softcap or head.logit_scale)
        n = len(self.rows)
        zeros = torch.zeros(3, n, dtype=torch.float64, device=rows.device)
        self.total, self.own, self.cross = zeros
        self.best = torch.full((n, top), -torch.inf, device=rows.device)
        self.best_ids = torch.zeros((n, top), dtype=torch.long, device=rows.device)
        self.targets = targets
        self.above = torch.zeros((n, targets.shape[1]), device=rows.device)
        self.aims = self._raw_of_targets()
        self.shift = torch.zeros(0)

    def run(self, chunk: int | None, members: Members | None) -> tuple[np.ndarray, ...]:
        """Sweep once; the fields of :class:`Readout`."""
        import torch

        self.members = members
        size, n, device = self.head.vocabulary, len(self.rows), self.rows.device
        chunk = min(chunk or chunk_tokens(n, device), size)
        columns = 0 if members is None else members.columns
        self.sums = torch.zeros(n, columns, dtype=torch.float64, device=device)
        self.buffers = torch.empty(2, n * chunk, device=device)
        for start, stop in _spans(size, chunk):
            self._add(start, stop)
        return self._readout()

    def _add(self, start: int, stop: int) -> None:
        """Reduce the logits of one chunk."""
        import torch

        shape = (len(self.rows), stop - start)
        first, second = (b[: shape[0] * shape[1]].view(shape) for b in self.buffers)
        raw = self._raw(start, stop, first)
        peak = raw.amax(1)
        self._keep_top(raw, peak, start)
        self._count_above(raw, start, scratch=second)
        self._lift(peak)
        z = torch.add(-self.shift[:, None], raw, alpha=self.gain, out=raw)
        powers = torch.exp2(z, out=second)
        self.total += powers.sum(1)
        if self.members is not None:
            self.sums += self.members.sums(powers, start)
        by_position = (self.n_positions, self.n_layers, stop - start)
        last = powers.view(by_position)[:, -1:].transpose(1, 2)
        self.cross += torch.bmm(z.view(by_position), last).view(-1)
        self.own += torch.mul(powers, z, out=z).sum(1)

    def _raw(self, start: int, stop: int, out: Tensor) -> Tensor:
        """Logits of a chunk over ``gain`` (in nats over it), into a buffer."""
        import torch

        weight, bias = self.head.weight[start:stop], self.head.bias
        direct = weight.dtype == torch.float32
        into = out if direct else torch.empty_like(out, dtype=weight.dtype)
        if bias is None:
            torch.mm(self.rows, weight.T, out=into)
        else:
            torch.addmm(bias[start:stop], self.rows, weight.T, out=into)
        return self._capped(out if direct else out.copy_(into))

    def _capped(self, raw: Tensor) -> Tensor:
        cap = self.head.softcap
        return raw if cap is None else raw.mul_(self.head.logit_scale / cap).tanh_()

    def _raw_of_targets(self) -> Tensor:
        """What `_raw` gives at the targets, tensor (rows, targets)."""
        import torch

        ids = torch.as_tensor(self.targets, device=self.rows.device)
        rows = self.rows.view(self.n_positions, self.n_layers, -1)
        aims = torch.bmm(rows, self.head.weight[ids].transpose(1, 2))
        if self.head.bias is not None:
            aims = aims + self.head.bias[ids][:, None]
        return self._capped(aims.float()).view(len(self.rows), -1)

    def _keep_top(self, raw: Tensor, peak: Tensor, start: int) -> None:
        """Merge a chunk's best into the best so far, for the rows that it betters.

        A row is bettered about ``top · ln(vocabulary / chunk)`` times in a sweep.
        """
        import torch

        better = (peak > self.best[:, -1]).nonzero()[:, 0]
        if not len(better):
            return
        values, at = _largest(raw[better], min(self.top, raw.shape[1]))
        values = torch.cat([self.best[better], values], dim=1)
        ids = torch.cat([self.best_ids[better], at + start], dim=1)
        self.best[better], order = values.topk(self.top, dim=1)
        self.best_ids[better] = ids.gather(1, order)

    def _count_above(self, raw: Tensor, start: int, *, scratch: Tensor) -> None:
        """Count the tokens of a chunk with a larger logit than each target.

        A target is not counted against itself, whose two products may round apart.
        """
        import torch

        if not self.ranks:
            return
        for column in range(self.targets.shape[1]):
            torch.gt(raw, self.aims[:, column, None], out=scratch)
            for position in self._with_target(column, start, start + raw.shape[1]):
                token = int(self.targets[position, column]) - start
                of_position = slice(position * self.n_layers, (position + 1) * self.n_layers)
                scratch[of_position, token] = 0
            self.above[:, column] += scratch.sum(1)

    def _with_target(self, column: int, start: int, stop: int) -> list[int]:
        """Positions whose target lies in a chunk; mostly none."""
        ids = self.targets[:, column]
        found: list[int] = np.flatnonzero((ids >= start) & (ids < stop)).tolist()
        return found

    def _lift(self, peak: Tensor) -> None:
        """Keep the shift within `_HEADROOM` below the largest logit, so that no power overflows.

        It starts at the first chunk's largest and is seldom moved after that.
        """
        import torch

        level = peak * self.gain
        if not len(self.shift):
            self.shift = level
            return
        if not bool((level - self.shift > _HEADROOM).any()):
            return
        new = torch.maximum(level, self.shift)
        by = (new - self.shift).double()
        factor = torch.exp2(-by)
        self.own = (self.own - by * self.total) * factor
        self.cross = (self.cross - by * self._of_last(self.total)) * self._of_last(factor)
        self.total = self.total * factor
        self.sums *= factor[:, None]
        self.shift = new

    def _of_last(self, values: Tensor) -> Tensor:
        """Value of each row's last layer."""
        by_position = values.view(self.n_positions, self.n_layers)
        return by_position[:, -1:].expand_as(by_position).reshape(-1)

    def _readout(self) -> tuple[np.ndarray, ...]:
        import torch

        total = self.total
        # log2 of the normaliser, relative to the shift; and the mean of z under q, under q_last
        scale, own = total.log2(), self.own / total
        cross = self.cross / self._of_last(total)
        kl = self._of_last(own) - self._of_last(scale) - cross + scale
        absolute = (scale + self.shift.double())[:, None]
        ranks = self.above.double().add(1) if self.ranks else self.above[:, :0].double()
        kl = kl.clamp(min=0).view(self.n_positions, self.n_layers)
        kl[:, -1] = 0  # by definition; the two sums round apart
        found = (
            (scale - own).clamp(min=0),
            kl.view(-1),
            self.best_ids,
            self.best.double() * self.gain - absolute,
            self.aims.double() * self.gain - absolute,
            ranks.to(torch.long),
            self._masses(),
        )
        return tuple(self._numbers(values) for values in found)

    def _masses(self) -> Tensor:
        """Mass of every class, tensor (rows, classes)."""
        if self.members is None:
            return self.sums
        return self.members.shares(self.sums, self.total)

    def _numbers(self, values: Tensor) -> np.ndarray:
        """As an array over (position, layer, …), on the host."""
        by_position = values.reshape(self.n_positions, self.n_layers, *values.shape[1:])
        array: np.ndarray = by_position.cpu().numpy()
        return array


def chunk_tokens(n_rows: int, device: torch.device) -> int:
    """Tokens of one product: a power of two, from 256 up, whose buffer suits the device."""
    numbers = _NUMBERS.get(device.type, _GPU_NUMBERS)
    return 1 << max(8, round(log2(max(1, numbers // n_rows))))


def _largest(values: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """The n largest of each row and where they are; ``topk`` is slow for one."""
    found = values.max(1, keepdim=True) if n == 1 else values.topk(n, dim=1)
    return found.values, found.indices


def _spans(size: int, chunk: int) -> Iterator[tuple[int, int]]:
    return ((start, min(start + chunk, size)) for start in range(0, size, chunk))
