"""What deriving age's public keys promises."""

from __future__ import annotations

import pyrage
import pytest

from lifecycle.drivers.agekeys import derive_recipient, with_recipient
from lifecycle.errors import DriverError
from lifecycle.secrets import Secret


@pytest.mark.parametrize("_", range(20))
def test_recipient_is_ages_own(_: int) -> None:
    """The derived public key is the one that age itself derives."""
    identity = pyrage.x25519.Identity.generate()

    recipient = derive_recipient(Secret(f"# a comment\n{identity}\n"))

    assert recipient == str(identity.to_public())


def test_key_file_gets_its_public_key_once() -> None:
    """A bare key becomes what age-keygen writes; a whole file stays as it is."""
    identity = pyrage.x25519.Identity.generate()

    file = with_recipient(Secret(str(identity)))

    expected = f"# public key: {identity.to_public()}\n{identity}\n"
    assert (file.reveal_text(), with_recipient(file)) == (expected, file)


@pytest.mark.parametrize("broken", ["", "age1public", "AGE-SECRET-KEY-1QQQQQQQQQQQQ"])
def test_broken_key_is_an_error_that_shows_nothing(broken: str) -> None:
    """What is no key, or a damaged one, is refused and not quoted."""
    with pytest.raises(DriverError) as caught:
        derive_recipient(Secret(broken))

    assert not broken or broken not in str(caught.value)
