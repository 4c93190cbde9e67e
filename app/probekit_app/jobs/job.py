"""``Job``: one study that the page started, as its status file has it; read and written whole."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

if TYPE_CHECKING:
    from pathlib import Path

FORMAT = "probekit-job/1"
State = Literal["queued", "running", "finished", "interrupted", "failed", "damaged"]
STATES: tuple[str, ...] = get_args(State)
#: How ``probekit run`` names its stages, and the part of a preflight's seconds that each takes.
STAGES = {"loading": "load", "reading": "pass", "measuring": "measures", "finishing": "finish"}
#: Of the measures, what is left when every layer was measured.
FINISH_SHARE = 0.15
#: Before so much of the work is done, the preflight knows better than the clock.
EARLY = 0.05


@dataclass(frozen=True, kw_only=True)
class Job:
    """A study, and how far it is.

    Attributes
    ----------
    name
        Of its run in the folder of runs.
    state
        ``queued``, ``running``; ``finished``, ``interrupted`` (it can be resumed), ``failed``;
        ``damaged`` where the status file cannot be read.
    asked
        When it was asked for, in seconds since 1970; the queue is in this order.
    started
        When its process started; 0 before.
    pid, born
        Its process, and that one's birth (see ``process.birth``).
    cancelled
        Whether somebody has asked it to stop.
    seconds
        Estimate by part, from the preflight.
    stage, done, total
        What it is at, and how much of that is done.
    message
        What it said last, or why it ended.
    log
        The end of what it printed.
    """

    name: str
    state: State
    asked: float = 0.0
    started: float = 0.0
    pid: int = 0
    born: str = ""
    cancelled: bool = False
    seconds: dict[str, float] = field(default_factory=dict)
    stage: str = ""
    done: int = 0
    total: int = 0
    message: str = ""
    log: str = ""

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come by itself."""
        return self.state not in {"queued", "running"}

    @property
    def can_resume(self) -> bool:
        """Whether the same command goes on where it stopped."""
        return self.state in {"interrupted", "failed"}

    @property
    def share(self) -> float:
        """How much of the whole is done, from 0 to 1, weighing stages as the preflight does."""
        if self.state == "finished":
            return 1.0
        weights = self._weights()
        at = list(STAGES).index(self.stage) if self.stage in STAGES else 0
        within = min(1.0, self.done / self.total) if self.total else 0.0
        done = sum(weights[:at]) + weights[at] * within
        return min(0.99, done / sum(weights))

    def remaining(self, now: float | None = None) -> float:
        """Seconds to go: by the clock when enough is done, else by the preflight."""
        planned = sum(self.seconds.values()) * (1 - self.share)
        spent = (time.time() if now is None else now) - self.started
        if self.share < EARLY or self.started <= 0 or spent <= 0:
            return planned
        observed = spent * (1 - self.share) / self.share
        return observed if not planned else self.share * observed + (1 - self.share) * planned

    def _weights(self) -> list[float]:
        measures = self.seconds.get("measures", 1.0) or 1.0
        parts = {
            **self.seconds,
            "measures": measures * (1 - FINISH_SHARE),
            "finish": measures * FINISH_SHARE,
        }
        return [max(0.01, parts.get(part, 1.0)) for part in STAGES.values()]

    def with_(self, **changes: Any) -> Job:
        """The same with some values replaced."""
        return replace(self, **changes)

    def to_json(self) -> str:
        """The status file."""
        return json.dumps({"format": FORMAT, **asdict(self)}, ensure_ascii=False, indent=1)


def read_job(path: Path) -> Job:
    """A job from its status file; ``damaged``, with the reason, where that is not one."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return _job(content, name=path.stem)
    except (OSError, ValueError, TypeError, KeyError) as error:
        why = " ".join(str(error).split())[:120] or type(error).__name__
        return Job(
            name=path.stem,
            state="damaged",
            message=f"its status file cannot be read ({why}). Remove it from the list.",
        )


def _job(content: Any, *, name: str) -> Job:
    if not isinstance(content, dict) or content.pop("format", None) != FORMAT:
        msg = f"it is not a {FORMAT}"
        raise ValueError(msg)
    known = {each.name: each.type for each in fields(Job)}
    job = Job(**{key: value for key, value in content.items() if key in known})
    kinds = {"asked": float, "started": float, "pid": int, "done": int, "total": int}
    wrong = [key for key, kind in kinds.items() if not isinstance(getattr(job, key), (kind, int))]
    wrong += [
        key for key in ("born", "stage", "message", "log") if not isinstance(getattr(job, key), str)
    ]
    if wrong or job.name != name or job.state not in STATES or not _is_estimate(job.seconds):
        msg = f"{', '.join(wrong) or 'name or state'} is not what it must be"
        raise ValueError(msg)
    return job


def _is_estimate(seconds: Any) -> bool:
    return isinstance(seconds, dict) and all(
        isinstance(value, (int, float)) and value >= 0 for value in seconds.values()
    )
