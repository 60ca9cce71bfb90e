"""What `import` does: find out what the file is, save what it says, and tell what came of it."""

import gc
import os
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from io import BytesIO
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, BinaryIO

from msgstore.cli.errors import BadUsage
from msgstore.cli.escape import visible
from msgstore.cli.interrupts import Interrupts
from msgstore.cli.json_input import read_json
from msgstore.cli.output import record_output
from msgstore.cli.render.progress import Progress
from msgstore.cli.saving import open_store
from msgstore.cli.settings import Settings
from msgstore.cli.shapes import IMPORTED
from msgstore.cli.tally import counted
from msgstore.exchange import forms
from msgstore.exchange.entries import Entry, read_binary, read_text
from msgstore.exchange.importing import Imported, Importer, Rehearsal
from msgstore.model.errors import MsgStoreError, StoreNotFound

if TYPE_CHECKING:
    from msgstore.backends.protocol import LocalMessageStore

_OBJECTS_BETWEEN_COLLECTIONS = 200_000
_COPY_BYTES = 1 << 20


def import_file(
    settings: Settings,
    path: str,
    form: str | None,
    dry_run: bool,
    session: str | None,
    batch_size: int,
    writing: Mapping[str, Any],
) -> None:
    """Raises the error of what is refused, with what was imported before it as a note."""
    # As in `save -`: a batch is thousands of values without a cycle among them.
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    tell = _report_printer(settings)
    with _opened(path) as file:
        guess = _form_of(file, form)
        imported = Imported(guess.form, dry_run)
        opened = _entries(path, file, guess, only=form is not None)
        with opened as entries, Interrupts() as interrupts:
            if dry_run:
                with _store_to_look_at(settings) as store:
                    _take(settings, interrupts, Rehearsal(store, imported), entries)
            else:
                with open_store(settings, session, writing) as store:
                    importer = Importer(store, imported, batch_size, interrupts.held)
                    _take(settings, interrupts, importer, entries)
    tell(imported)


def _take(
    settings: Settings,
    interrupts: Interrupts,
    importer: Importer | Rehearsal,
    entries: Iterator[Entry],
) -> None:
    imported = importer.imported
    done = "looked at" if imported.dry_run else "imported"
    try:
        with Progress(settings, done) as progress:
            importer.take(entries, lambda: progress.show(imported.messages + imported.duplicates))
    except MsgStoreError as error:
        error.add_note(_before(imported))
        raise
    except KeyboardInterrupt:
        verb = "would import" if imported.dry_run else "imported"
        settings.say(interrupts.sentence(f"{verb} {_facts(imported)}"))
        raise


@contextmanager
def _store_to_look_at(settings: Settings) -> "Iterator[LocalMessageStore | None]":
    """The store, or None where there is none yet: an import would make it."""
    try:
        store = settings.open_store()
    except StoreNotFound:
        yield None
        return
    with store:
        yield store


# ---------------------------------------------------------------- the file


@contextmanager
def _opened(path: str) -> "Iterator[_Rewound]":
    """The file, or stdin for `-`. Raises BadUsage where it cannot be read."""
    if path == "-":
        yield _Rewound(sys.stdin.buffer if sys.stdin else BytesIO(), "stdin")
        return
    with _said_of(path):
        if stat.S_ISDIR(os.stat(path).st_mode):
            raise BadUsage(f"{path} is a folder", _hint_for_folder(path))
        file = open(path, "rb")  # noqa: SIM115
    with file:
        yield _Rewound(file, path)


@contextmanager
def _said_of(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BadUsage(f"{name}: {error.strerror}", "name a file that can be read") from None
    except ValueError as error:  # a NUL in the name
        raise BadUsage(f"{name!r}: {error}", "name a file that can be read") from None


def _hint_for_folder(path: str) -> str:
    if os.path.exists(os.path.join(path, "store.json")):
        return f"msgstore --store {path} export - | msgstore import -"
    return "name a file"


class _Rewound:
    """A file whose beginning was looked at, a pipe too, and is read again."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file = file
        self._name = name
        self._again = BytesIO()
        self.head = self.read(forms.HEAD_BYTES)
        self._again = BytesIO(self.head)

    def read(self, size: int) -> bytes:
        with _said_of(self._name):
            return self._again.read(size) or self._file.read(size)

    def readline(self, size: int) -> bytes:
        line = self._again.readline(size)
        if line.endswith(b"\n") or len(line) == size:
            return line
        with _said_of(self._name):
            return line + self._file.readline(size - len(line))


def _form_of(file: _Rewound, form: str | None) -> forms.Guess:
    """By the content, unless it is said. Raises UnknownForm."""
    if form is None:
        return forms.guess_form(file.head)
    return forms.Guess(form, is_array=form in (forms.EVENTS_BATCH, forms.REFERENCE))


@contextmanager
def _entries(
    path: str, file: _Rewound, guess: forms.Guess, only: bool
) -> Iterator[Iterator[Entry]]:
    """The messages of the file. What is no text is read at any place, and so copied from a pipe first."""
    if guess.form not in forms.BINARY:
        yield read_text(file, guess, read_json, only)
        return
    if path != "-" and stat.S_ISREG(os.stat(path).st_mode):
        with closing(read_binary(path, guess.form, read_json)) as entries:  # type: ignore[type-var]
            yield entries
        return
    with TemporaryDirectory(prefix="msgstore-") as folder:
        copy = os.path.join(folder, "input")
        with open(copy, "xb") as target:
            while part := file.read(_COPY_BYTES):
                target.write(part)
        with closing(read_binary(copy, guess.form, read_json)) as entries:  # type: ignore[type-var]
            yield entries


# ---------------------------------------------------------------- what is said


def _report_printer(settings: Settings) -> Callable[[Imported], None]:
    if settings.output_format("table") not in ("table", "wide") or settings.fields:
        output = record_output(settings, IMPORTED)
        return lambda imported: output.put_all([imported])
    return lambda imported: None if settings.quiet else print(visible(_sentence(imported)))


def _before(imported: Imported) -> str:
    if imported.dry_run:
        return "nothing was imported: this is a dry run"
    if not imported.messages:
        known = counted(imported.duplicates, "message")
        return "nothing was imported" + (f"; {known} before it known" * bool(imported.duplicates))
    return f"imported before it: {_facts(imported)}; run it again when the rest is right"


def _sentence(imported: Imported) -> str:
    if imported.dry_run:
        return f"would import {_facts(imported)}"
    if not imported.messages:
        known = counted(imported.duplicates, "message")
        return f"nothing new: {known} known" if imported.duplicates else "nothing to import"
    kept = imported.places_kept == imported.messages + imported.duplicates
    return f"imported {_facts(imported)}" + ("; all have the places they had" * kept)


def _facts(imported: Imported) -> str:
    text = counted(imported.messages, "message")
    if imported.first_position:
        text += f", positions {imported.first_position}–{imported.last_position}"
    if imported.duplicates:
        text += f" ({counted(imported.duplicates, 'duplicate')})"
    return text
