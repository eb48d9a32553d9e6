"""What goes wrong with a key service, in words."""

from __future__ import annotations

import pytest

from nopea.core.decryption.keys import KmsKey
from nopea.core.problem import Code
from nopea.keys import problems

KEY = KmsKey(id="1", arn="arn:aws:kms:eu-west-2:111122223333:key/a", ciphertext="x")


def test_a_login_of_nopea_that_is_missing() -> None:
    """Time may mend it, where a service that gives logins is away."""
    (missing,) = problems.no_identity(KEY, "none", is_ours=True, is_busy=False).problems
    (away,) = problems.no_identity(KEY, "none", is_ours=True, is_busy=True).problems

    assert (missing.code, away.code) == (Code.DECRYPTION_LOGIN, Code.KEY_SERVICE_UNREACHABLE)
    (of_tenant,) = problems.no_identity(KEY, "none", is_ours=False, is_busy=False).problems
    assert ("Pod" in missing.hint, "Secret" in of_tenant.hint) == (True, True)


def test_who_must_act() -> None:
    """Time, or a person, who learns which key it is."""
    found = {
        Code.DECRYPTION_LOGIN: problems.no_login(KEY, "shop", secret_key="sops.aws-kms"),
        Code.DECRYPTION_REFUSED: problems.refused(KEY, "no"),
        Code.KEY_SERVICE_UNREACHABLE: problems.unreachable(KEY, "no"),
    }
    for code, error in found.items():
        (problem,) = error.problems
        assert problem.code is code
        assert KEY.arn in problem.message
        assert problem.hint.endswith(".")


@pytest.mark.parametrize(("header", "seconds"), [("7", 7), ("", 0), ("soon", 0), ("٧", 0), ("9" * 300, 3600)])
def test_a_server_may_ask_for_a_wait(header: str, seconds: float) -> None:
    """Within bounds."""
    (problem,) = problems.unreachable(KEY, "busy", retry_after=header).problems

    assert problem.retry_after_seconds == seconds
