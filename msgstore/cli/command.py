"""What all commands share: the flags taken before and after a command's name, and the look of help."""

from collections.abc import Callable
from inspect import cleandoc
from typing import TYPE_CHECKING, Any, cast

from typer import BadParameter
from typer.core import TyperCommand, TyperGroup, TyperOption

from msgstore.cli.settings import COLORS, DEFAULT_STORE, FORMATS

if TYPE_CHECKING:
    from typer._click import Command as ClickCommand
    from typer._click import Context, HelpFormatter, Parameter


class Command(TyperCommand):
    """A command with the common flags, and examples at the end of its help."""

    def __init__(self, *args: Any, **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.params += common_options()

    def collect_usage_pieces(self, ctx: "Context") -> list[str]:
        return [piece.strip("{}") for piece in super().collect_usage_pieces(ctx)]

    def format_options(self, ctx: "Context", formatter: "HelpFormatter") -> None:
        write_options(self, ctx, formatter)

    def format_epilog(self, ctx: "Context", formatter: "HelpFormatter") -> None:
        write_epilog(self.epilog, formatter)


class Group(TyperGroup):
    """A group with the common flags. Its commands are built when they are called or listed."""

    homes: dict[str, Callable[[], "ClickCommand"]] = {}  # noqa: RUF012
    """The name of each command, and what builds it."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.params += common_options()
        for name in self.homes:  # Typer lists these names, and suggests from them
            self.commands[name] = cast("ClickCommand", None)

    def get_command(self, ctx: "Context", cmd_name: str) -> "ClickCommand | None":
        build = self.homes.get(cmd_name)
        return build() if build else super().get_command(ctx, cmd_name)

    def format_options(self, ctx: "Context", formatter: "HelpFormatter") -> None:
        self.format_commands(ctx, formatter)
        write_options(self, ctx, formatter)

    def format_epilog(self, ctx: "Context", formatter: "HelpFormatter") -> None:
        write_epilog(self.epilog, formatter)


# ---------------------------------------------------------------- the common flags


def common_options() -> list[Any]:
    """`--store`, `-o` and the rest: new objects, whose values go into the Settings of the call."""
    return [
        _common(
            "--store", metavar="PATH|URL", help=f"The store [MSGSTORE_STORE, else {DEFAULT_STORE}]."
        ),
        _common(
            "-o",
            "--output",
            metavar="FORMAT",
            choices=FORMATS,
            help=f"{', '.join(FORMATS)} [MSGSTORE_OUTPUT, else table on a terminal, jsonl in a pipe].",
        ),
        _common("--fields", metavar="A,B.C", help="Only these: streamId,message.data.total."),
        _common(
            "--color", choices=COLORS, metavar="WHEN", help="auto, always or never [NO_COLOR]."
        ),
        _common("-q", "--quiet", is_flag=True, help="Print data only."),
        _common("--debug", is_flag=True, help="Show the traceback of an error."),
    ]


def _common(*flags: str, choices: tuple[str, ...] = (), **attributes: Any) -> Any:
    def keep(ctx: "Context", param: "Parameter", value: Any) -> None:
        if value is None:
            return
        if choices and value not in choices:
            raise BadParameter(f"{value!r} is not one of {', '.join(choices)}.")
        if value == "":
            raise BadParameter("it is empty.")
        setattr(ctx.obj, str(param.name), value)

    def complete(ctx: "Context", args: list[str], incomplete: str) -> list[str]:
        return list(choices)

    option = TyperOption(
        param_decls=list(flags),
        callback=keep,
        expose_value=False,
        autocompletion=complete if choices else None,
        **attributes,
    )
    option.rich_help_panel = COMMON
    return option


COMMON = "Everywhere"


# ---------------------------------------------------------------- help


def write_options(command: Any, ctx: "Context", formatter: "HelpFormatter") -> None:
    """Arguments, then the command's own options, then those of all commands."""
    sections: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": [], COMMON: []}
    for param in command.get_params(ctx):
        if record := param.get_help_record(ctx):
            own = "Arguments" if param.param_type_name == "argument" else "Options"
            common = getattr(param, "rich_help_panel", None) == COMMON or "--help" in param.opts
            sections[COMMON if common else own].append(record)
    for title, records in sections.items():
        if records:
            with formatter.section(title):
                formatter.write_dl(records, col_max=28)


def write_epilog(epilog: str | None, formatter: "HelpFormatter") -> None:
    """As it was written: examples are not prose, and stay on their lines."""
    if epilog:
        formatter.write_paragraph()
        formatter.write(cleandoc(epilog) + "\n")
