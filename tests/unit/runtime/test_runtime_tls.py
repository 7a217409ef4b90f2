"""The doors' certificate: what is refused at start, what comes into force later, and when a person is told."""

import shutil
import ssl

import pytest

from execsvc.runtime.tls import TELL_AGAIN_S, WARN_DAYS, Keeper, TlsRefused, read
from execsvc.runtime.x509 import Unreadable, validities
from tests.support.certs import Authority, openssl, put

DAY_NS = 24 * 3600 * 10**9
HOUR_NS = 3600 * 10**9


class Days:
    """A clock that a test sets."""

    def __init__(self, now_ns):
        self.now_ns = now_ns
        self.monotonic_s = 0.0

    def wall_ns(self):
        return self.now_ns

    def monotonic(self):
        return self.monotonic_s


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def first(authority):
    return authority.leaf("first", days=20)


@pytest.fixture(scope="module")
def second(authority):
    return authority.leaf("second", days=100)


@pytest.fixture
def files(tmp_path, first):
    """Copies in a place of their own: certificate and key."""
    certificate, key = tmp_path / "server.crt", tmp_path / "server.key"
    put(first, certificate, key)
    return certificate, key


@pytest.fixture
def clock(first):
    return Days(validities(first.certificate.read_text())[0].from_ns + HOUR_NS)


class Ear:
    def __init__(self):
        self.heard = []

    def __call__(self, event, why):
        self.heard.append((event, why))

    @property
    def events(self):
        return [event for event, _ in self.heard]


@pytest.fixture
def ear():
    return Ear()


@pytest.fixture
def keeper(files, clock, ear):
    return Keeper(*files, None, clock=clock, told=ear)


# ---- validity --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("days", [1, 20, 9000, 12000], ids=["day", "weeks", "2051", "2059"])
def test_the_validity_is_what_openssl_wrote(authority, tmp_path, days):
    """From and until are read to the second, in either of the two forms of a time that certificates use."""
    leaf = authority.leaf("span", days=days, into=tmp_path)
    shown = tmp_path / "dates"
    openssl("x509", "-in", leaf.certificate, "-noout", "-dates", "-out", shown)
    said = dict(line.split("=", 1) for line in shown.read_text().splitlines())
    told = validities(leaf.certificate.read_text())[0]
    expected = [ssl.cert_time_to_seconds(said[name]) * 10**9 for name in ("notBefore", "notAfter")]
    assert expected == [told.from_ns, told.until_ns]


def test_every_certificate_of_a_chain_is_read(authority, first):
    """A chain's authority counts too, in the order of the file."""
    both = first.certificate.read_text() + authority.certificate.read_text()
    leaf, above = validities(both)
    assert 10 * DAY_NS == above.until_ns - leaf.until_ns - (above.from_ns - leaf.from_ns)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
        "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----",
    ],
)
def test_what_is_no_certificate_is_unreadable(text):
    """Rubbish has one error, whatever is wrong with it."""
    with pytest.raises(Unreadable):
        validities(text)


def test_a_certificate_cut_anywhere_is_unreadable_or_the_same(first):
    """No cut of the bytes reads as another validity."""
    der = ssl.PEM_cert_to_DER_cert(first.certificate.read_text())
    whole = validities(ssl.DER_cert_to_PEM_cert(der))
    for length in range(1, len(der)):
        with pytest.raises(Unreadable):
            validities(ssl.DER_cert_to_PEM_cert(der[:length]))
    assert 1 == len(whole)


# ---- refused ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o660, 0o604])
def test_a_key_that_others_can_read_refuses(files, clock, mode):
    """The private key is a secret like every other: its owner alone."""
    files[1].chmod(mode)
    with pytest.raises(TlsRefused, match=rf"server\.key: mode {mode:04o} lets others in"):
        read(*files, None, now_ns=clock.wall_ns())


def _another_key(files, second):
    shutil.copy(second.key, files[1])


def _locked_key(files, second):
    openssl("ec", "-in", second.key, "-aes256", "-passout", "pass:x", "-out", files[1])
    shutil.copy(second.certificate, files[0])
    files[1].chmod(0o600)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_another_key, "not a certificate and its key .*KEY_VALUES_MISMATCH"),
        (_locked_key, "locked with a passphrase"),
        (lambda files, _: files[0].unlink(), r"server\.crt: No such file"),
        (lambda files, _: files[1].unlink(), r"server\.key: No such file"),
        (lambda files, _: files[0].write_text(""), "not a certificate and its key"),
        (lambda files, _: files[0].write_bytes(b"\xff\xfe"), r"server\.crt: not PEM text"),
        (lambda files, _: files[0].write_bytes(b"a" * 300_000), r"server\.crt: longer than"),
    ],
    ids=["other-key", "locked", "no-certificate", "no-key", "empty", "binary", "huge"],
)
def test_files_that_cannot_serve_refuse(files, clock, second, change, said):
    """Each in one line that names the file, and says what is wrong with it."""
    change(files, second)
    with pytest.raises(TlsRefused, match=said) as caught:
        read(*files, None, now_ns=clock.wall_ns())
    assert "\n" not in str(caught.value)


def test_an_expired_certificate_refuses(files, clock):
    """No client would take it, so the gateway does not start with it."""
    clock.now_ns += 21 * DAY_NS
    with pytest.raises(TlsRefused, match="expired"):
        read(*files, None, now_ns=clock.wall_ns())


def test_a_certificate_of_tomorrow_refuses(files, clock):
    """One that is not valid yet points at the clock."""
    clock.now_ns -= 2 * DAY_NS
    with pytest.raises(TlsRefused, match=r"not valid yet.*clock"):
        read(*files, None, now_ns=clock.wall_ns())


def test_an_authority_that_is_none_refuses(files, clock, tmp_path):
    """Callers' certificates cannot be judged by a file without one."""
    authority = tmp_path / "ca.crt"
    authority.write_text("nothing")
    with pytest.raises(TlsRefused, match=r"ca\.crt: no certificate authority"):
        read(*files, authority, now_ns=clock.wall_ns())


def test_nothing_shows_the_key(keeper, files):
    """Neither the pair nor the keeper has the key in what it shows of itself."""
    secret = files[1].read_text().splitlines()[1]
    assert secret not in f"{keeper!r}{keeper.pair!r}{vars(keeper)}"
    assert secret in keeper.pair.key.reveal()


# ---- renewed ---------------------------------------------------------------------------------------------------------


def test_a_new_pair_comes_into_force(keeper, files, second):
    """One look after the files have changed the new certificate is the one of the next handshake."""
    put(second, *files)
    keeper.look()
    assert (2, second.certificate.read_bytes(), "") == (keeper.revision, keeper.pair.chain, keeper.problem)


def test_files_that_stay_are_not_read_again(keeper):
    """A look at the same files changes nothing."""
    before = keeper.pair
    keeper.look()
    assert (1, True) == (keeper.revision, keeper.pair is before)


def test_a_broken_pair_leaves_the_old_one_in_force(keeper, files, first, second, ear):
    """It is told once, names the file, and the mended pair then comes into force."""
    put(first, files[0], files[1])
    shutil.copy(second.certificate, files[0])
    for _ in range(4):
        keeper.look()
    assert (1, first.certificate.read_bytes()) == (keeper.revision, keeper.pair.chain)
    assert ["tls.loaded", "tls.unusable"] == ear.events
    assert "KEY_VALUES_MISMATCH" in keeper.problem
    put(second, *files)
    keeper.look()
    assert (2, second.certificate.read_bytes(), "") == (keeper.revision, keeper.pair.chain, keeper.problem)


def test_a_rotation_in_two_steps_is_no_alarm(keeper, files, second, ear):
    """Between the new key and its certificate one look may fall: nobody is woken for that."""
    shutil.copy(second.key, files[1])
    keeper.look()
    shutil.copy(second.certificate, files[0])
    keeper.look()
    assert (["tls.loaded", "tls.loaded"], 2) == (ear.events, keeper.revision)


def test_files_that_vanish_are_told(keeper, files, ear):
    """A deleted certificate stays in force and is told."""
    files[0].unlink()
    keeper.look()
    keeper.look()
    assert (1, ["tls.loaded", "tls.unusable"]) == (keeper.revision, ear.events)


# ---- its end ---------------------------------------------------------------------------------------------------------


def test_the_end_is_told_two_weeks_before_and_then_daily(keeper, clock, ear):
    """From fourteen days before the end on, once a day, with the days left and what to do."""
    left = keeper.pair.until_ns - clock.now_ns
    clock.now_ns += left - WARN_DAYS * DAY_NS - HOUR_NS
    keeper.look()
    assert ["tls.loaded"] == ear.events
    clock.now_ns += 2 * HOUR_NS
    for _ in range(3):
        keeper.look()
    clock.monotonic_s += TELL_AGAIN_S
    keeper.look()
    assert ["tls.loaded", "tls.expires", "tls.expires"] == ear.events
    assert "valid for 13 more days" in ear.heard[1][1]
    clock.now_ns = keeper.pair.until_ns + 1
    clock.monotonic_s += TELL_AGAIN_S
    keeper.look()
    assert "expired" in ear.heard[-1][1]


def test_the_start_tells_how_long_it_holds(keeper, ear, files):
    """The first line about the certificate names its file and its days."""
    assert [("tls.loaded", f"{files[0]}: valid for 19 more days")] == ear.heard
