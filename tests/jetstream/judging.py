"""What clients were told against what stands in the store."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from msgstore import PositionalMessage


@dataclass
class Verdict:
    """All but `figures` are empty where every promise held."""

    figures: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)

    def find(self, kind: str, what: str) -> None:
        self.figures[kind] += 1
        self.violations.append(f"{kind}: {what}")


def read_log(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a log; a process that was killed may have left half a one."""
    lines = path.read_text().splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]


def judge(
    notes: Iterable[dict[str, Any]], readings: Sequence[Sequence[PositionalMessage]]
) -> Verdict:
    """`notes` are the clients', `readings` the whole store as several readers have it."""
    verdict = Verdict(Counter(acknowledged=0, lost=0, duplicated=0, misplaced=0, phantom=0, gaps=0))
    stored = readings[0]
    for number, other in enumerate(readings[1:], 1):
        if other != stored:
            verdict.find("disagreement", f"reader {number} has another order than reader 0")
    _check_order(stored, verdict)
    places: dict[str, list[PositionalMessage]] = {}
    for message in stored:
        places.setdefault(str(message.message.id), []).append(message)
    for message_id, found in places.items():
        if len(found) > 1:
            verdict.find("duplicated", f"{message_id} at {[m.position for m in found]}")
    for note in notes:
        _check_note(note, places, verdict)
    verdict.figures["stored"] = len(stored)
    return verdict


def _check_order(stored: Sequence[PositionalMessage], verdict: Verdict) -> None:
    """Positions from 1 and revisions from 0, both without gaps."""
    heads: Counter[str] = Counter()
    for expected, message in enumerate(stored, 1):
        if message.position != expected:
            verdict.find("gaps", f"position {message.position} where {expected} was to come")
        if message.revision != heads[message.stream_id]:
            verdict.find("gaps", f"{message.stream_id}: revision {message.revision}")
        heads[message.stream_id] += 1


def _check_note(
    note: dict[str, Any], places: dict[str, list[PositionalMessage]], verdict: Verdict
) -> None:
    ids = [message_id for one in note["ids"] for message_id in one]
    there = sum(message_id in places for message_id in ids)
    outcome = note["outcome"]
    verdict.figures[f"saves {outcome}"] += 1
    if outcome == "saved":
        verdict.figures["acknowledged"] += len(ids)
        for one, place in zip(note["ids"], note["places"], strict=True):
            _check_places(one, place, places, verdict)
    elif outcome in ("refused", "failed") and there:
        verdict.find("phantom", f"{ids} stand there, though their saver was told that they do not")
    elif outcome == "unknown":
        verdict.figures["unknown that stand" if there else "unknown that do not stand"] += 1
        if there not in (0, len(ids)):
            verdict.find("torn", f"of {ids} only {there} stand")


def _check_places(
    ids: Sequence[str],
    place: Sequence[Any],
    places: dict[str, list[PositionalMessage]],
    verdict: Verdict,
) -> None:
    stream_id, revision, position = place
    for ordinal, message_id in enumerate(ids):
        if message_id not in places:
            verdict.find("lost", f"{message_id} was acknowledged at position {position + ordinal}")
            continue
        found = places[message_id][0]
        told = (stream_id, revision + ordinal, position + ordinal)
        if (found.stream_id, found.revision, found.position) != told:
            verdict.find("misplaced", f"{message_id} at {found.position}, told {told}")
