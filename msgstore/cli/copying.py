"""What `copy` does: open both stores, copy or compare, and say what came of it."""

import gc
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from msgstore.backends.registry import PACK_SUFFIX, open_url, path_of
from msgstore.cli.errors import BadUsage
from msgstore.cli.escape import visible
from msgstore.cli.interrupts import Interrupts
from msgstore.cli.options import Select
from msgstore.cli.output import record_output
from msgstore.cli.render.progress import Progress
from msgstore.cli.settings import Settings
from msgstore.cli.shapes import STORE_COPY
from msgstore.cli.tally import counted
from msgstore.exchange.carrying import CarriedSessions
from msgstore.exchange.copying import Comparison, Copied, Copying, Selection, cuts_streams
from msgstore.exchange.matching import Matched
from msgstore.model.errors import MsgStoreError, StoreNotFound

if TYPE_CHECKING:
    from msgstore.backends.protocol import LocalMessageStore

_OBJECTS_BETWEEN_COLLECTIONS = 200_000


class _NoSource(StoreNotFound):
    advice = "name the store to copy from first, then the one to copy to"


class StoreCopy:
    """One `copy`. Wrong flags fail when it is made, before a store is opened."""

    def __init__(
        self,
        settings: Settings,
        source: str,
        target: str,
        select: Select,
        *,
        dry_run: bool,
        check: bool,
    ) -> None:
        if settings.store is not None:
            raise BadUsage("copy names both stores itself", "leave --store out")
        if dry_run and check:
            raise BadUsage("--dry-run and --check exclude each other", "give one of them")
        self._settings = settings
        self._source = _name(source, "SRC")
        self._target = _name(target, "DST")
        _refuse_same_place(self._source, self._target)
        self._select = select
        self._is_check = check
        names = shown(self._source), shown(self._target)
        self._copied = Copied(*names, Matched(), dry_run or check)
        self._tell = self._report_printer()
        self._interrupts = Interrupts()

    def copy(
        self, writing: Mapping[str, Any], renumber: bool, with_sessions: bool, batch_size: int
    ) -> int:
        """Copies and verifies. What is refused is raised, with what was copied before it as a note."""
        # As in `import`: a batch is thousands of values without a cycle among them.
        gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
        with self._opened_source() as source, open_url(self._target, **writing) as target:
            self._refuse_same(source, target)
            # Before the end of the source is settled: what has ended by now has all its messages.
            sessions = CarriedSessions(source, target) if with_sessions else None
            selection = Selection.of(source, self._select(source))
            keeps_revisions = not renumber and not cuts_streams(selection.wanted)
            copying = Copying(
                selection,
                target,
                self._copied,
                keeps_revisions=keeps_revisions,
                batch_size=batch_size,
                held=self._interrupts.held,
            )
            self._watch(lambda tell: copying.run(sessions, tell))
        self._tell()
        return 0

    def compare(self) -> int:
        """What the target has and has not; with --check 1 is the answer that it differs."""
        with self._opened_source() as source, self._opened_target() as target:
            if target is not None:
                self._refuse_same(source, target)
            selection = Selection.of(source, self._select(source))
            comparison = Comparison(selection, target, self._copied)
            self._watch(comparison.compare)
        if not self._is_check:
            self._copied.saved = self._copied.matched.missing
        self._tell()
        return 1 if self._is_check and _differs(self._copied) else 0

    # ------------------------------------------------------------ the stores

    @contextmanager
    def _opened_source(self) -> "Iterator[LocalMessageStore]":
        try:
            source = open_url(self._source, create=False)
        except StoreNotFound as error:
            raise _NoSource(error.path) from error
        with source:
            yield source

    @contextmanager
    def _opened_target(self) -> "Iterator[LocalMessageStore | None]":
        try:
            target = open_url(self._target, create=False)
        except StoreNotFound:
            yield None
            return
        with target:
            yield target

    def _refuse_same(self, source: "LocalMessageStore", target: "LocalMessageStore") -> None:
        here, there = (getattr(store, "store_id", None) for store in (source, target))
        if here is not None and here == there:
            raise _one_store("both are one store, or one is a backup of the other")

    # ------------------------------------------------------------ what is said

    def _watch(self, work: Callable[[Callable[[str, int], None]], None]) -> None:
        bar, step = Progress(self._settings), ""

        def tell(done: str, number: int) -> None:
            nonlocal bar, step
            if done != step:
                bar.__exit__(None, None, None)
                bar, step = Progress(self._settings, done), done
            bar.show(number)

        try:
            try:
                with self._interrupts:
                    work(tell)
            finally:
                bar.__exit__(None, None, None)
        except MsgStoreError as error:
            error.add_note(self._before())
            raise
        except KeyboardInterrupt:
            self._settings.say(self._interrupts.sentence(self._before()))
            raise

    def _before(self) -> str:
        if self._copied.dry_run:
            return "nothing was copied: this only compares"
        if not self._copied.saved:
            return "nothing was copied"
        return f"copied before it: {_facts(self._copied)}; run it again, and it goes on from there"

    def _report_printer(self) -> Callable[[], None]:
        settings = self._settings
        if settings.output_format("table") not in ("table", "wide") or settings.fields:
            output = record_output(settings, STORE_COPY)
            return lambda: output.put_all([self._copied])
        return lambda: None if settings.quiet else print(visible(self._sentence()))

    def _sentence(self) -> str:
        copied = self._copied
        if self._is_check:
            return _compared(copied)
        if copied.dry_run:
            different = f"; {copied.matched.different:,} are different"
            return f"would copy {_facts(copied)}" + different * bool(copied.matched.different)
        if not copied.saved:
            text = f"nothing new: {counted(copied.known, 'message')} known"
        else:
            text = f"copied {_facts(copied)}"
        return f"{text}; verified{_kept(copied.matched)}"


def _name(url: str, what: str) -> str:
    """A path, absolute, or the URL as it is. Raises BadUsage for what can be neither end of a copy."""
    if not url:
        raise BadUsage(f"{what} is empty", "name a store: a path or a URL")
    if url.lower().startswith("memory:"):
        raise BadUsage(
            "a store in memory begins and ends with this command", "name a store on disk"
        )
    path = path_of(url)
    if path is None:
        return url
    if what == "DST" and path.endswith(PACK_SUFFIX) and not os.path.isdir(path):
        raise BadUsage(
            "copy writes to stores, and this is the name of a pack", "msgstore export -h"
        )
    return os.path.abspath(path)


def _refuse_same_place(source: str, target: str) -> None:
    """Raises BadUsage for what can be seen before a store is opened: not every backend has an identity."""
    if source == target:
        raise _one_store("both are one store")
    if path_of(source) is not None and target.startswith(os.path.join(source, "")):
        raise BadUsage("DST is a place inside of SRC", "name a folder beside it")


def _one_store(what: str) -> BadUsage:
    return BadUsage(what, "name two stores; `msgstore backup` brings a backup up to date")


def shown(url: str) -> str:
    """A store as it is called in the report: of a URL without who asks, and without options."""
    if path_of(url) is not None:
        return url
    return re.sub(r"//[^/]*@", "//", url.partition("?")[0])


def _facts(copied: Copied) -> str:
    text = counted(copied.saved, "message")
    if copied.first_position:
        text += f", positions {copied.first_position}–{copied.last_position}"
    if copied.sessions:
        text += f", {counted(copied.sessions, 'session')}"
    if copied.known:
        text += f" ({counted(copied.known, 'duplicate')})"
    return text


def _differs(copied: Copied) -> bool:
    return not copied.matched.is_whole or copied.matched.out_of_order > 0


def _compared(copied: Copied) -> str:
    matched = copied.matched
    total = counted(matched.found + matched.missing + matched.different, "message")
    if not _differs(copied):
        return f"the same: {total}{_kept(matched)}; {copied.checksum}"
    places = ", ".join(f"{place:,}" for place in matched.wrong_places)
    return f"they differ: of {total}{_problems(matched)}" + f"; from position {places}" * bool(
        places
    )


def _problems(matched: Matched) -> str:
    """`, 3 are missing, 1 is different`."""
    numbers = {
        "missing": matched.missing,
        "different": matched.different,
        "in another order": matched.out_of_order,
    }
    return "".join(f", {number:,} {problem}" for problem, number in numbers.items() if number)


def _kept(matched: Matched) -> str:
    """What did not stay as it was, or that all did."""
    found = matched.found
    if found == matched.positions_kept == matched.revisions_kept:
        return "; all have the places they had" * bool(found)
    text = ""
    if matched.revisions_kept < found:
        text += f"; {matched.revisions_kept:,} of {found:,} have the revision they had"
    text += f"; {matched.positions_kept:,} of {found:,} have the position they had"
    return text + f"; {matched.out_of_order:,} stand in another order" * bool(matched.out_of_order)
