"""Where a key comes from: credential, file, environment, in this order; the environment is emptied in any case."""

import base64
from pathlib import Path

import pytest

from execsvc.runtime.keysource import KeyMissing, Part, find, take_from
from execsvc.runtime.secrets import Secret

OF_CREDENTIAL, OF_ACCOUNT, OF_FILE, OF_ENVIRONMENT = (base64.b64encode(bytes([n]) * 42).decode() for n in range(4))


@pytest.fixture
def machine(tmp_path):
    """All three sources full; a test takes away what it does not want."""
    folder = tmp_path / "credentials"
    folder.mkdir(mode=0o700)
    private(folder / "kraken-api-key", OF_CREDENTIAL)
    private(folder / "kraken-api-key-desk", OF_ACCOUNT)
    private(tmp_path / "key", OF_FILE)
    return tmp_path


def private(path, text):
    path.write_text(text + "\n")
    path.chmod(0o400)


def looked_up(machine, *, account="main", alone=True, credentials=True, file=True, environ=True, part=Part.KEY):
    held = {"KRAKEN_API_KEY": OF_ENVIRONMENT} if environ else {}
    if credentials:
        held["CREDENTIALS_DIRECTORY"] = str(machine / "credentials")
    return find(
        part,
        account=account,
        alone=alone,
        file=machine / "key" if file else None,
        environ=held,
        taken=take_from(held),
    )


@pytest.mark.parametrize(
    ("given", "text", "source"),
    [
        ({}, OF_CREDENTIAL, "credential kraken-api-key"),
        ({"account": "desk"}, OF_ACCOUNT, "credential kraken-api-key-desk"),
        ({"account": "desk", "alone": False}, OF_ACCOUNT, "credential kraken-api-key-desk"),
        ({"account": "other", "alone": False}, OF_FILE, "file "),
        ({"credentials": False}, OF_FILE, "file "),
        ({"credentials": False, "file": False}, OF_ENVIRONMENT, "environment"),
    ],
)
def test_a_credential_outranks_a_file_and_a_file_the_environment(machine, given, text, source):
    """The account's own credential first; the plain one and the environment are for an account that is alone."""
    found = looked_up(machine, **given)
    assert Secret(text) == found.secret
    assert found.source.startswith(source)
    assert (source == "environment") is found.exposed


@pytest.mark.parametrize(
    ("alone", "told"),
    [
        (True, "KRAKEN_API_KEY is missing: give it as a systemd credential kraken-api-key-main or KRAKEN_API_KEY_FILE"),
        (False, "KRAKEN_API_KEY is missing: give it as a systemd credential kraken-api-key-main or a file of its own"),
    ],
)
def test_a_key_that_is_nowhere_is_missed_with_the_ways_to_give_it(machine, alone, told):
    """Of several accounts none gets what the environment says: it does not say whose it is."""
    with pytest.raises(KeyMissing) as missing:
        looked_up(machine, alone=alone, credentials=False, file=False, environ=not alone)
    assert told == str(missing.value)


def test_a_credential_that_cannot_be_used_is_told_and_not_passed_over(machine):
    """Another source would be another key than the operator meant."""
    (machine / "credentials" / "kraken-api-key").chmod(0o644)
    with pytest.raises(KeyMissing) as refused:
        looked_up(machine)
    assert "credential kraken-api-key: " in str(refused.value)
    assert "mode 0644 lets others in" in str(refused.value)


def test_a_credential_that_leads_nowhere_is_told_too(machine):
    """A link whose end is gone is there all the same."""
    (machine / "credentials" / "kraken-api-key").unlink()
    (machine / "credentials" / "kraken-api-key").symlink_to("gone")
    with pytest.raises(KeyMissing, match=r"credential kraken-api-key: .*No such file"):
        looked_up(machine)


def test_a_folder_of_credentials_that_cannot_be_looked_into_is_told(machine, monkeypatch):
    """It might hold the key that was meant."""

    def lstat(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "lstat", lstat)
    with pytest.raises(KeyMissing, match=r"credential kraken-api-key-main: .*Permission denied"):
        looked_up(machine)


@pytest.mark.parametrize("inside", ["\n", " ", "\t", "é", "\x00"])
@pytest.mark.parametrize("where", ["file", "environment"])
def test_what_is_not_one_word_is_no_key(machine, inside, where):
    """It would end up between the headers of a request; the error does not repeat it."""
    text = f"{OF_FILE[:10]}{inside}{OF_FILE[10:]}"
    (machine / "key").chmod(0o600)
    (machine / "key").write_text(text)
    file = machine / "key" if where == "file" else None
    with pytest.raises(KeyMissing) as refused:
        find(Part.KEY, account="main", alone=True, file=file, environ={}, taken={Part.KEY: Secret(text)})
    assert "not one word" in str(refused.value)
    assert OF_FILE[:10] not in str(refused.value)


def test_the_environment_is_emptied_also_of_what_is_not_used():
    """No child inherits either half, whichever source wins; all else stays."""
    environ = {"KRAKEN_API_KEY": " a ", "KRAKEN_API_SECRET": "", "KRAKEN_API_KEY_FILE": "/x", "HOME": "/"}
    assert {Part.KEY: Secret("a")} == take_from(environ)
    assert {"KRAKEN_API_KEY_FILE": "/x", "HOME": "/"} == environ


def test_the_secret_has_names_of_its_own(machine):
    """kraken-api-secret, KRAKEN_API_SECRET."""
    private(machine / "credentials" / "kraken-api-secret", OF_FILE)
    assert "credential kraken-api-secret" == looked_up(machine, part=Part.SECRET).source
