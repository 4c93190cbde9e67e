"""A document of an experiment with planted answers, as ``experiment`` writes it."""

from __future__ import annotations

from collections import Counter

LANGUAGES = ("en", "de", "sw")
FACTS = [f"f{n:02d}" for n in range(10)]
#: Place → facts to forget still answered in the source, and in each held-out language.
LEFT = {"selection": (0, 2), "shallow": (3, 6), "deep": (0, 9)}


def make_arm(algorithm="rmu", source="en", place="selection", seed=0, **changes):
    """An arm after which the first so many facts are still answered."""
    own, other = LEFT[place]
    before = dict.fromkeys(LANGUAGES, FACTS)
    kept = {code: own + seed if code == source else other for code in LANGUAGES}
    arm = {"algorithm": algorithm, "source": [source], "place": place, "seed": seed}
    return {
        "arm": arm | {"name": f"{algorithm}.{source}.{place}.{seed}"},
        "blocks": [2, 3],
        "read_layer": 3,
        "steps": 5,
        "stopped": "forget_target",
        "contract": True,
        "answered": {
            "before": {"forget": before, "retain": before},
            "after": {
                "forget": {code: FACTS[:n] for code, n in kept.items()},
                "retain": dict.fromkeys(LANGUAGES, FACTS[:9]),
            },
        },
        "verifications": [],
    } | changes


def make_experiment(arms=None, **changes):
    """Two algorithms, two sources, three places, two seeds."""
    arms = arms or [
        make_arm(algorithm, source, place, seed)
        for seed in (0, 1)
        for source in ("en", "sw")
        for algorithm in ("rmu", "slug")
        for place in LEFT
    ]
    seeds = list(Counter(arm["arm"]["seed"] for arm in arms))
    document = {
        "schema_version": "erasure-experiment/1",
        "tool": {"name": "probekit", "version": "0"},
        "plan": {"model": "tiny", "seeds": seeds, "languages": list(LANGUAGES)},
        "model": {"id": "taught"},
        "facts": {"name": "planted", "sha256": "cc"},
        "teaching": {"steps": 3, "stopped": "target",
                     "after": {code: {"accuracy": 1.0} for code in LANGUAGES}},
        "selection": {"status": "stable", "region": [2, 3], "update_layers": [2, 3],
                      "names_sha256": "ab", "rule": {"name": "plateau"}},
        "arms": arms,
        "notes": ["a note"],
    }  # fmt: skip
    return document | changes
