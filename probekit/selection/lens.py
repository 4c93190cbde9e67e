"""``lens``: blocks between reading the input and deciding the output, by the logit lens.

One comparison per block and resample: O(n_blocks · n_resamples).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from probekit.selection.options import PROBABILITY, Option
from probekit.selection.rule import Bar, BarRule, mean_bar

if TYPE_CHECKING:
    from probekit.selection.tables import Frame, Tables

OWN, AGREEMENT, KL = "lens.own_mass_mean", "lens.agreement_mean", "lens.kl_mean"
OWN_CHANCE = "lens.own_mass_mean_chance"
#: Made from ``lens.entropy_mean``: KL of a uniform guess to the model's output, at every block.
KL_UNIFORM = "lens.kl_uniform"

LENS_OPTIONS = (
    PROBABILITY,
    Option(
        "readable",
        "switch",
        default=True,
        help="Ask that the lens is nearer to the model's output than a uniform guess is.",
    ),
)


@dataclass(frozen=True)
class Lens(BarRule):
    """Longest run of blocks where the lens reads something but has not decided on a language.

    A block clears when ``own_mass ≤ mean over blocks`` (the lens puts little probability on tokens
    of the text's own language), ``agreement ≤ mean over blocks`` (it seldom says what the model
    will say) and, unless ``readable`` is off, ``KL(output ‖ lens) ≤ log2 |V| - H(output)``: the
    divergence of a uniform guess, in bits; a lens further away than that is no reading at all.
    These are the middle blocks of "input space, concept space, output space".

    It is evidence that what the block holds is not yet written in the words of one language. It is
    no evidence that the languages share it (see ``plateau``, ``probe``). Distrust it where the
    lens is unfaithful: early blocks of many models, models whose last blocks turn the basis, and
    vocabularies in which few tokens belong to one language.

    Parameters
    ----------
    readable : bool
        Whether to ask for the third bar.

    References
    ----------
    nostalgebraist 2020; Wendler et al. 2024 (2402.10588); Belrose et al. 2023 (2303.08112, biases
    of the logit lens).
    """

    readable: bool = True

    name: ClassVar[str] = "lens"

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of the bars."""
        return ("own-language mass", "agreement", *(("KL",) if self.readable else ()))

    @property
    def decisive(self) -> tuple[str, ...]:
        """Own-language mass must differ between blocks."""
        return (OWN,)

    @property
    def columns(self) -> tuple[str, ...]:
        """Own-language mass and its chance, agreement, and what says whether the lens reads."""
        return (OWN, OWN_CHANCE, AGREEMENT, *((KL, KL_UNIFORM) if self.readable else ()))

    @property
    def condition(self) -> str:
        """What one block must be, as one line of arithmetic."""
        middle = "own_mass <= mean(own_mass) and agreement <= mean(agreement)"
        return f"{middle} and kl <= log2(vocabulary) - entropy(output)" if self.readable else middle

    def bars(self, frame: Frame) -> tuple[Bar, ...]:
        """Two means over blocks, and the divergence of a uniform guess."""
        middle = (
            mean_bar(frame, OWN, label="own-language mass", at_least=False),
            mean_bar(frame, AGREEMENT, label="agreement", at_least=False),
        )
        if not self.readable:
            return middle
        return (*middle, Bar("KL", KL, at_least=False, level=frame[KL_UNIFORM]))

    def refusals(self, tables: Tables) -> list[str]:
        """The lens must know the text's language at the last block, or it can miss it anywhere."""
        own, floor = tables.columns[OWN], tables.columns[OWN_CHANCE]
        low = own.value if own.low is None else own.low
        if low[-1] > floor.value[-1]:
            return []
        return [
            f"the lens does not know the text's language even at the last block: mass "
            f"{own.value[-1]:.3g} on its tokens, from {low[-1]:.3g}, against "
            f"{floor.value[-1]:.3g} for random vectors"
        ]

    def cautions(self, tables: Tables) -> list[str]:
        """Say what a lens cannot."""
        del tables
        return [
            "the lens shows which words a block is near to, not that languages share what it holds"
        ]
