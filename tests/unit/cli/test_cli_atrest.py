"""Verbs that work on the gateway's files ask for what they need of its settings, and for nothing that only a start needs."""

import pytest

from execsvc.cli.atrest import settings_at_rest
from execsvc.cli.credentials import token_folder
from execsvc.settings import SettingsRefused


@pytest.fixture
def config(tmp_path):
    """A file of a live gateway whose key is systemd's to hand over, and whose doors need TLS that the unit names."""
    path = tmp_path / "execsvc.toml"
    path.write_text(
        f'mode = "live"\nlisten = "0.0.0.0:50051"\nstore = "sqlite://{tmp_path}/state/x.db"\n[accounts.main]\n'
    )
    return path


def test_neither_keys_nor_doors_nor_a_largest_order_are_asked_for(config, tmp_path):
    """Whoever takes a token back in a hurry has none of them in the shell."""
    found = settings_at_rest({"HOME": str(tmp_path)}, {"EXECSVC_CONFIG": str(config), "EXECSVC_TOKENS": ""})
    assert (tmp_path / "state" / "tokens.toml", ["main"]) == (found.tokens, [each.name for each in found.accounts])


def test_a_typo_is_refused_all_the_same(config, tmp_path):
    """What is written down is held to what serve would say."""
    config.write_text(config.read_text().replace("listen", "lisen"))
    with pytest.raises(SettingsRefused, match="did you mean listen"):
        settings_at_rest({"HOME": str(tmp_path)}, {"EXECSVC_CONFIG": str(config)})


def test_the_verbs_find_their_token_where_the_configuration_has_the_store(config, tmp_path):
    """EXECSVC_CONFIG is enough: store and tokens of the file are those of serve."""
    environ = {"HOME": str(tmp_path), "EXECSVC_CONFIG": str(config)}
    assert tmp_path / "state" == token_folder(environ)


def test_a_configuration_that_cannot_be_used_leaves_the_usual_place(config, tmp_path):
    """A verb that only asks the gateway is not kept from it by a file it does not need."""
    config.write_text("not TOML")
    usual = tmp_path / ".local" / "state" / "execsvc"
    assert usual == token_folder({"HOME": str(tmp_path), "EXECSVC_CONFIG": str(config)})
