"""Who may log in: the file of users."""

import io
import json
import os
import stat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag_app.cli.main import main
from rag_app.errors import AccountError
from rag_app.server.security import accounts
from rag_app.server.security.accounts import NAME, Accounts, hash_password, is_correct_password
from tests.support.other_user import needs_root

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """The strength of the hash is tested once; elsewhere a weak one saves seconds."""
    monkeypatch.setattr(accounts, "_N", 16)


def test_a_password_is_kept_as_scrypt_of_the_recommended_strength_with_a_salt_of_its_own(monkeypatch):
    monkeypatch.undo()
    one, other = hash_password(PASSWORD), hash_password(PASSWORD)
    assert one.startswith("scrypt$16384$8$5$") and one != other and PASSWORD not in one
    assert (
        is_correct_password(PASSWORD, one)
        and is_correct_password(PASSWORD, other)
        and not is_correct_password(PASSWORD + " ", one)
    )


def test_users_are_kept_in_a_file_that_is_its_owners_alone(tmp_path):
    users = Accounts(tmp_path / "deep" / "users.json")
    assert not users.is_required and users.add("Ada", PASSWORD) and not users.add("ada", "another password")
    text = users.file.read_text()
    assert users.is_required and users.names() == ["ada"] and "another password" not in text
    if os.name == "posix":
        assert stat.S_IMODE(users.file.stat().st_mode) == 0o600
    assert [path.name for path in users.file.parent.iterdir()] == ["users.json"]


def test_only_name_and_password_together_let_anybody_in(tmp_path):
    users = Accounts(tmp_path / "users.json")
    users.add("ada", PASSWORD)
    assert users.check(" ADA ", PASSWORD) == "ada"
    for name, password in (("ada", ""), ("ada", "x" * 2000), ("bob", PASSWORD), ("", PASSWORD), ("../ada", PASSWORD)):
        assert users.check(name, password) is None


def test_a_name_that_is_not_there_costs_the_same_hash(tmp_path, monkeypatch):
    users = Accounts(tmp_path / "users.json")
    users.add("ada", PASSWORD)
    users.check("nobody", "x")  # the stand-in is made once
    asked = []
    monkeypatch.setattr(
        accounts, "_scrypt", lambda *given, real=accounts._scrypt: asked.append(given[2:]) or real(*given)
    )
    users.check("ada", "wrong password")
    users.check("bob", "wrong password")
    assert len(asked) == 2 and asked[0] == asked[1]


def test_one_password_for_all_is_no_name(tmp_path):
    users = Accounts(tmp_path / "users.json", PASSWORD)
    assert users.is_required and not users.by_name
    assert users.check("", PASSWORD) == "" and users.check("ada", PASSWORD) is None and users.check("", "wrong") is None


def test_a_changed_file_is_followed_and_a_removed_user_is_gone(tmp_path):
    users, elsewhere = Accounts(tmp_path / "users.json"), Accounts(tmp_path / "users.json")
    users.add("ada", PASSWORD)
    before = elsewhere.password_stamp("ada")
    users.add("ada", "another password")
    assert before and elsewhere.password_stamp("ada") not in ("", before)
    users.remove("ada")
    assert elsewhere.password_stamp("ada") == "" and not elsewhere.is_required


@pytest.mark.parametrize("name", ["", "../ada", "a/b", ".ada", "a..b", "a.", "ä", "a b", "A" * 33, "a\nb", "con:"])
def test_names_that_cannot_name_a_folder_are_refused(tmp_path, name):
    with pytest.raises(AccountError, match="cannot be a user's name"):
        Accounts(tmp_path / "users.json").add(name, PASSWORD)


@pytest.mark.parametrize("password", ["", "short", "x" * 1025])
def test_passwords_too_short_or_too_long_are_refused(tmp_path, password):
    with pytest.raises(AccountError, match="at least 10"):
        Accounts(tmp_path / "users.json").add("ada", password)


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such modes")
def test_a_file_that_others_can_read_is_refused_with_the_remedy(tmp_path):
    users = Accounts(tmp_path / "users.json")
    users.add("ada", PASSWORD)
    users.file.chmod(0o640)
    with pytest.raises(AccountError, match="chmod 600"):
        Accounts(users.file).names()


def test_a_file_that_this_user_did_not_write_is_followed_only_where_it_was_named(tmp_path):
    users = Accounts(tmp_path / "users.json")
    users.add("ada", PASSWORD)
    assert Accounts(users.file).names() == ["ada"]
    users.file.write_text(users.file.read_text(encoding="utf-8").replace("ada", "eve"), encoding="utf-8")
    with pytest.raises(AccountError, match=r"not written by this user.*RAG_USERS.*remove it"):
        Accounts(users.file).names()
    with pytest.raises(AccountError, match="not written by this user"):
        Accounts(users.file).add("bob", PASSWORD)
    assert Accounts(users.file, named=True).names() == ["eve"]


@pytest.mark.skipif(os.name != "posix", reason="Windows has no named pipes among files")
def test_nothing_waits_for_a_named_pipe_in_place_of_the_file(tmp_path):
    os.mkfifo(tmp_path / "users.json", 0o600)
    with pytest.raises(AccountError, match=r"users\.json: cannot be read"):
        Accounts(tmp_path / "users.json", named=True).names()


@needs_root
def test_a_file_of_another_user_is_not_followed(tmp_path):
    users = Accounts(tmp_path / "users.json")
    users.add("ada", PASSWORD)
    os.chown(users.file, 65534, 65534)
    with pytest.raises(AccountError, match="belongs to another user"):
        Accounts(users.file, named=True).names()


@settings(max_examples=25, deadline=None)
@given(
    st.binary(max_size=60)
    | st.builds(
        lambda value: json.dumps({"users": value}).encode(), st.from_type(dict) | st.dictionaries(st.text(), st.text())
    )
)
def test_a_damaged_file_is_said_and_never_opens_the_page(tmp_path_factory, content):
    file = tmp_path_factory.mktemp("users") / "users.json"
    file.write_bytes(content)
    file.chmod(0o600)
    users = Accounts(file, named=True)
    try:
        names = users.names()
    except AccountError as error:
        assert "users" in str(error)
        with pytest.raises(AccountError):
            users.is_required  # noqa: B018
        return
    assert all(NAME.fullmatch(name) for name in names)
    for name in names:
        with pytest.raises(AccountError, match="damaged"):
            users.check(name, PASSWORD)


def test_users_are_added_listed_and_removed_by_command(tmp_path, monkeypatch, capsys):
    file = tmp_path / "users.json"
    monkeypatch.setenv("RAG_USERS", str(file))
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert main(["user", "add", "ada"]) == 1 and "at least 10" in capsys.readouterr().err
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
    assert main(["user", "add", "ada"]) == 0
    assert main(["user", "list", "--json"]) == 0
    out = capsys.readouterr().out
    assert json.loads(out.splitlines()[-1]) == {"status": "good", "file": str(file), "users": ["ada"]}
    assert PASSWORD not in out and Accounts(file).check("ada", PASSWORD) == "ada"
    assert main(["user", "remove", "bob"]) == 1 and "ada" in capsys.readouterr().err
    assert main(["user", "remove"]) == 1 and main(["user", "remove", "ada"]) == 0
    assert Accounts(file).names() == []
