"""The `lab` command: languages, errors and exit codes; the commands themselves are one file each in `commands/`."""

from __future__ import annotations

import errno
import importlib
import math
import os
import sys
import traceback
from typing import Any, NoReturn

import click
from rich.console import Console
from rich.markup import escape

from labkit import __version__, i18n
from labkit.errors import FAILED, USAGE, LabError
from labkit.i18n import listed, t
from labkit.ui import draw_picture

COMMANDS = (
    "start", "stop", "status", "open", "publish", "events", "race", "collapse", "chaos", "verify", "hint",
    "reset", "restart", "logs", "doctor", "images", "site", "test", "bench", "plan", "passports", "completion",
)  # fmt: skip
"""In the order in which people meet them."""

INTERRUPTED = 130
"""What a shell reports of a program that Ctrl-C ended."""


class _Formatter(click.HelpFormatter):
    """Writes headings as they are: the catalogue brings each language's own colon."""

    def write_heading(self, heading: str) -> None:
        """Write a heading."""
        self.write(f"{'':>{self.current_indent}}{heading}\n")


class _Context(click.Context):
    formatter_class = _Formatter


class Commands(click.Group):
    """Loads a command's module when it is called or asked for, in the language that was chosen before."""

    context_class = _Context

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of `COMMANDS`."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, None where there is none of that name."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"labkit.commands.{cmd_name}")
        command: click.Command = module.command
        command.help = t(f"help.{cmd_name}")
        command.short_help = command.help.partition("\n")[0]
        for parameter in command.params:
            if isinstance(parameter, click.Option) and parameter.help is None and parameter.name:
                parameter.help = t(f"option.{parameter.name}")
        command.context_settings.setdefault("help_option_names", ["-h", "--help"])
        _localise_help_option(command)
        return command

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the usage line."""
        _usage(self, ctx, formatter)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write options and commands under headings of the current language."""
        _options(self, ctx, formatter)
        rows = [(name, command.get_short_help_str(90)) for name in COMMANDS if (command := self.get_command(ctx, name))]
        with formatter.section(t("cli.commands")):
            formatter.write_dl(rows)


class Range(click.FloatRange):
    """A number between two others; `nan`, which is between any two, is none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read a number."""
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(str(value), param, ctx)
        return number


class Command(click.Command):
    """A command whose help speaks the current language."""

    context_class = _Context

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the usage line."""
        _usage(self, ctx, formatter)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options under a heading of the current language."""
        _options(self, ctx, formatter)


def _usage(command: click.Command, ctx: click.Context, formatter: click.HelpFormatter) -> None:
    formatter.write_usage(ctx.command_path, " ".join(command.collect_usage_pieces(ctx)), prefix=t("cli.usage"))


def _options(command: click.Command, ctx: click.Context, formatter: click.HelpFormatter) -> None:
    options = [one for one in command.get_params(ctx) if isinstance(one, click.Option)]
    rows = [row for option in options if (row := option.get_help_record(ctx))]
    if rows:
        with formatter.section(t("cli.options")):
            formatter.write_dl(rows)


def _localise_help_option(command: click.Command) -> None:
    """Give a command the help option that click would add in English."""
    if any(parameter.name == "help" for parameter in command.params):
        return
    command.add_help_option = False

    def show(ctx: click.Context, _: click.Parameter, value: Any) -> None:
        if value:
            click.echo(ctx.get_help(), color=ctx.color)
            ctx.exit()

    command.params.append(
        click.Option(
            ["-h", "--help"], is_flag=True, expose_value=False, is_eager=True, help=t("option.help"), callback=show
        )
    )


def _program() -> Commands:
    """Return the whole command line."""

    def version(ctx: click.Context, _: click.Parameter, value: Any) -> None:
        if value:
            from importlib import metadata  # noqa: PLC0415

            click.echo(f"lab {__version__} (Airflow {metadata.version('apache-airflow')})")
            ctx.exit()

    program = Commands(
        "lab",
        help=t("help.lab"),
        callback=lambda **_: None,
        no_args_is_help=True,
        params=[
            click.Option(["--lang"], type=click.Choice(i18n.LANGUAGES), help=t("option.lang")),
            click.Option(["--debug"], is_flag=True, help=t("option.debug")),
            click.Option(
                ["--version"],
                is_flag=True,
                expose_value=False,
                is_eager=True,
                help=t("option.version"),
                callback=version,
            ),
        ],
    )
    _localise_help_option(program)
    return program


def explain(error: click.ClickException) -> str:
    """Return click's complaint in the current language: what is wrong and what there is instead."""
    text = error.format_message()
    match error:
        case click.exceptions.NoSuchOption():
            text = t("cli.no_such_option", option=error.option_name)
        case click.exceptions.MissingParameter():
            parameter = error.param
            name = parameter.make_metavar(error.ctx) if parameter and error.ctx else error.param_hint or ""
            text = t("cli.missing", name=name)
        case click.exceptions.BadOptionUsage():
            text = t("cli.option_needs_value", option=error.option_name)
        case click.exceptions.BadParameter():
            text = _explain_value(error)
        case click.exceptions.UsageError() if "No such command" in error.message:
            text = t("cli.no_such_command", commands=listed(COMMANDS))
        case click.exceptions.UsageError() if "unexpected extra argument" in error.message:
            takes_json = error.ctx is not None and error.ctx.command.name == "publish"
            key = "cli.extra_argument_beside_json" if takes_json else "cli.extra_argument"
            text = t(key, arguments=error.message.partition("(")[2].rstrip(")"))
    return text


def _explain_value(error: click.BadParameter) -> str:
    parameter = error.param
    if parameter is None:
        return error.format_message()
    name = (
        parameter.opts[0] if isinstance(parameter, click.Option) else parameter.human_readable_name.strip("[]").upper()
    )
    choices = getattr(parameter.type, "choices", None)
    if choices:
        return t("cli.bad_choice", name=name, choices=listed(choices))
    low, high = getattr(parameter.type, "min", None), getattr(parameter.type, "max", None)
    if low is not None:
        return t("cli.out_of_range", name=name, low=low, high=high) if high else t("cli.at_least", name=name, low=low)
    return t("cli.bad_value", name=name, kind=parameter.type.name)


def main() -> NoReturn:
    """Run the command line and exit: 0 done, 1 failed, 2 asked for wrongly, 130 interrupted."""
    arguments = sys.argv[1:]
    i18n.use(i18n.from_environment(arguments))
    try:
        _program()(_hoist(arguments), prog_name="lab", standalone_mode=False)
        draw_picture(f"./lab {' '.join(arguments)}")
    except click.exceptions.Exit as end:
        sys.exit(end.exit_code)
    except BrokenPipeError:  # `lab logs | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(FAILED)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help() if error.ctx else "")
        sys.exit(USAGE)
    except (KeyboardInterrupt, click.exceptions.Abort):
        _stderr().print(t("cli.interrupted"))
        sys.exit(INTERRUPTED)
    except Exception as error:  # noqa: BLE001  whatever it is, the user gets a sentence
        if "--debug" in arguments or os.environ.get("LAB_DEBUG"):
            traceback.print_exc()
        sys.exit(_tell(error))
    sys.exit(0)


def _stderr() -> Console:
    return Console(stderr=True, highlight=False, soft_wrap=True)


def _tell(error: Exception) -> int:
    """Tell the user what went wrong, in a sentence; returns the exit code."""
    code, details, more = FAILED, "", ""
    match error:
        case click.ClickException():
            place = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "lab"
            text, more, code = explain(error), t("cli.see_help", command=place), USAGE
        case LabError():
            text, details, code = str(error), error.details, error.exit_code
        case OSError():
            text = t("cli.disk_full" if error.errno == errno.ENOSPC else "cli.system", reason=error)
        case _:
            text = t("cli.bug", kind=type(error).__name__, reason=error)
    stderr = _stderr()
    if details:
        stderr.print(f"[dim]{_safe(details)}[/]")
    stderr.print(f"[bold red]{t('cli.error')}[/]{_safe(text)}")
    if more:
        stderr.print(f"[dim]{more}[/]")
    return code


def _safe(text: str) -> str:
    """Return text with brackets that rich would take for markup."""
    return escape(text)


def _hoist(arguments: list[str]) -> list[str]:
    """Put `--lang X` and `--debug` in front, so that people may write them anywhere."""
    front, rest = [], []
    words = iter(arguments)
    for word in words:
        if word == "--debug" or word.startswith("--lang="):
            front.append(word)
        elif word == "--lang":
            front += [word, *([value] if (value := next(words, None)) is not None else [])]
        elif word == "--":
            rest += [word, *words]
        else:
            rest.append(word)
    return front + rest
