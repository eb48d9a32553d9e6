"""What key services have in common: whose login opens a key, and how."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from nopea.core.decryption.logins import KeyLogins
from nopea.core.decryption.wire import Call, Declined
from nopea.core.secret import Secret

T = TypeVar("T")
K_contra = TypeVar("K_contra", contravariant=True)
L = TypeVar("L")


class Ask(Protocol):
    """Sends a request for one use of a key, as the rules for its user are."""

    async def __call__(
        self, call: Call, read: Callable[[int, bytes], T | Declined], *, is_operators: bool = False
    ) -> T:
        """Return what `read` finds. Raises SyncError and NoAnswerError.

        If it `is_operators`, an operator chose the address, and no rule for tenants limits it.
        """
        ...


class Service(Protocol[K_contra, L]):
    """One sort of key service."""

    secret_key: str
    """Where a tenant has a login in the Secret."""

    def flaw(self, key: K_contra) -> str:
        """Return why nobody may be asked about a key; empty if it may go into a URL."""
        ...

    def tenants(self, logins: KeyLogins) -> L | None:
        """Return the login of a tenant."""
        ...

    async def own(self, key: K_contra) -> L:
        """Return Nopea's login. Raises NoIdentityError and NoAnswerError."""
        ...

    async def open(self, key: K_contra, login: L, ask: Ask) -> Secret:
        """Return the data key. Raises SyncError and NoAnswerError."""
        ...

    def forget(self) -> None:
        """Forget logins of Nopea: the service refused one."""
        ...
