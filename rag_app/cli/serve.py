"""`serve`, `user` and `token`: opens the page, and says who may log in and which programs may ask."""

from __future__ import annotations

import contextlib
import getpass
import sys
from argparse import Namespace

from rag_app.cli.session import open_assistant
from rag_app.errors import AccountError
from rag_app.outputs.terminal import print_json
from rag_app.server.app import choose_page_token, serve
from rag_app.server.security.accounts import Accounts
from rag_app.settings import load_settings


def run_user(options: Namespace) -> int:
    """Add or remove a user, or list them. A running page follows at once."""
    accounts = _open_accounts()
    told = f"users in {accounts.file}: {', '.join(accounts.names()) or 'none; nobody needs to log in'}"
    if options.what == "add":
        new = accounts.add(_name(options), _password())
        told = f"{options.name}: {'added' if new else 'has a new password'}; kept in {accounts.file}"
    elif options.what == "remove":
        accounts.remove(_name(options))
        told = f"{options.name}: removed; what was asked stays in history/users/{options.name}"
        if not accounts.names():
            told += ". No user is left: a running page lets nobody in; after a restart it needs no log-in"
    if options.json:
        print_json({"status": "good", "file": str(accounts.file), "users": accounts.names()})
    else:
        print(told)
    return 0


def run_token(options: Namespace) -> int:
    """Add or remove a program's token, or list them. A running page follows at once."""
    accounts = _open_accounts()
    value: dict[str, object] = {"status": "good", "file": str(accounts.file)}
    said = f"tokens in {accounts.file}: {', '.join(_describe_tokens(accounts)) or 'none'}"
    if options.what == "add":
        value["token"] = accounts.add_token(_name(options), options.user)
        said = f"{value['token']}\n{options.name}: shown this once; {accounts.file} keeps only its hash"
    elif options.what == "remove":
        accounts.remove_token(_name(options))
        said = f"{options.name}: removed"
    if options.json:
        print_json({**value, "tokens": sorted(accounts.tokens())})
    else:
        print(said)
    return 0


def _open_accounts() -> Accounts:
    settings = load_settings()
    return Accounts(settings.users_file, named=settings.names_users_file)


def _describe_tokens(accounts: Accounts) -> list[str]:
    return [f"{name} ({token.user})" if token.user else name for name, token in sorted(accounts.tokens().items())]


def _name(options: Namespace) -> str:
    if not options.name:
        raise AccountError(f"Say who: python -m rag_app {options.command} {options.what} NAME")
    return str(options.name)


def _password() -> str:
    """Typed twice, unseen; from a pipe its first line. Never from the command line, which others can see."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password = getpass.getpass("Password: ")
    if getpass.getpass("Once more: ") != password:
        raise AccountError("The passwords differ. Try again.")
    return password


def run_serve(options: Namespace) -> int:
    """Serve until Ctrl-C, which is the usual end and so no failure."""
    given = {"port": options.port, "host": options.host, "root_path": options.root_path}
    assistant = open_assistant(**{name: value for name, value in given.items() if value is not None})
    stdout = sys.stderr if options.json else sys.stdout
    with contextlib.redirect_stdout(stdout):
        token = choose_page_token(assistant.settings, options.no_token)
        page = serve(assistant, assistant.settings, block=False, page_token=token)
    if options.json:
        print_json({"status": "serving", "url": page.url, "address": page.address})
    if not options.no_browser:
        page.open_in_browser()
    with contextlib.redirect_stdout(stdout):
        page.wait()
    return 0
