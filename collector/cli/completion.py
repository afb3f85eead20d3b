"""`watchkeeper completion`: a few lines for bash, made of the commands themselves, so that TAB knows them all."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from functools import partial

from collector.cli import Commands

SCRIPT = """\
# Made by `watchkeeper completion`. In ~/.bashrc: eval "$(watchkeeper completion)"
_watchkeeper_words() {
    case $1 in
%s
    esac
}
_watchkeeper() {
    local path= each
    for each in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        [[ -n $(_watchkeeper_words "${path:+$path }$each") ]] && path=${path:+$path }$each
    done
    COMPREPLY=($(compgen -W "$(_watchkeeper_words "$path")" -- "${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _watchkeeper watchkeeper"""


def add_to(commands: Commands, parser: argparse.ArgumentParser) -> None:
    """`parser` is the one of all commands."""
    completion = commands.add_parser("completion", help="lines for bash that complete commands by TAB")
    completion.set_defaults(command=partial(_print, parser))


def _print(parser: argparse.ArgumentParser, _arguments: argparse.Namespace) -> int:
    cases = [f"        {path!r}) echo '{' '.join(words)}' ;;" for path, words in _words(parser, "")]
    print(SCRIPT % "\n".join(cases))
    return 0


def _words(parser: argparse.ArgumentParser, path: str) -> Iterator[tuple[str, list[str]]]:
    """Of each command its path, such as `silence add`, and what can follow: further commands and options."""
    words: list[str] = []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            words += action._name_parser_map
            for name, inner in action._name_parser_map.items():
                yield from _words(inner, f"{path} {name}".strip())
        else:
            words += [option for option in action.option_strings if option.startswith("--")]
    yield path, words
