"""One target in a process of its own, which atheris takes over: it ends by itself, without a return."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def main(job: dict[str, Any]) -> None:
    if job["engine"] == "plain":
        _run_plainly(job)
    else:
        _run_guided(job)


def _run_plainly(job: dict[str, Any]) -> None:
    import faulthandler

    from fuzz.driver import INPUT_TIMEOUT_S, TARGETS, run_plainly

    faulthandler.dump_traceback_later(INPUT_TIMEOUT_S + (job["seconds"] or 3600), exit=True)
    watch = run_plainly(TARGETS[job["target"]], job["inputs"], job["seed"], job["seconds"])
    _tell(job, watch.told())
    print(f"Done {watch.inputs}")


def _run_guided(job: dict[str, Any]) -> None:
    import atheris

    with atheris.instrument_imports(include=["msgstore"]):
        from fuzz.driver import INPUT_BYTES_MAX, INPUT_TIMEOUT_S, TARGETS, Watch

    target, folder = TARGETS[job["target"]], Path(job["folder"])
    watch = Watch(target)
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(target.corpus()):
        (corpus / f"seed-{number}").write_bytes(seed)
    words = [f'"{_quoted(token)}"\n' for token in target.tokens if len(token) < 60]
    (folder / "words").write_text("".join(words))

    def one(data: bytes) -> None:
        if watch.run(data):
            _tell(job, watch.told())

    options = {
        "runs": job["inputs"],
        "seed": job["seed"] + 1,  # 0 would be a seed of libFuzzer's own choice
        "max_total_time": int(job["seconds"] or 0),
        "max_len": INPUT_BYTES_MAX,
        "timeout": INPUT_TIMEOUT_S,
        "rss_limit_mb": 2048,
        "artifact_prefix": f"{folder}/artefact-",
        "dict": folder / "words" if words else 0,
        "print_final_stats": 1,
    }
    arguments = [f"-{name}={value}" for name, value in options.items() if value != 0]
    atheris.Setup([sys.argv[0], *arguments, str(corpus)], one)
    atheris.Fuzz()


def _quoted(token: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in token)


def _tell(job: dict[str, Any], violations: list[str]) -> None:
    (Path(job["folder"]) / "violations").write_text(json.dumps(violations))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
