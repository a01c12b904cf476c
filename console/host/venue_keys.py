"""The keys of one account while it is set up: found, typed, tested, and kept in the keyring."""

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum

from brokers.guide import Guide
from console.host.asking import agreed, ask_secret
from console.host.keychain import keep, kept, keyring_fault
from console.host.output import CommandFailed, ExitCode, warn
from console.host.secrets import Secret, SecretError, SecretStore
from engine.config.venue import RealVenueConfig


class Origin(StrEnum):
    """Where a key came from."""

    ENVIRONMENT = "environment"
    KEYRING = "keyring"
    TYPED = "typed"


class VenueKeys:
    """What the venue lets us in by, by the name of its variable; it never shows a value."""

    def __init__(
        self,
        environ: Mapping[str, str],
        guide: Guide,
        *,
        person: bool,
        asks: bool,
        tell: Callable[[str], None],
    ) -> None:
        """`person`: somebody is there who can type a key. `asks`: they are asked whether one of the
        keyring is to be used."""
        self._environ = environ
        self._guide = guide
        self._person = person
        self._asks = asks
        self._tell = tell
        self._found: dict[str, Secret] = {}
        self.origins: dict[str, Origin] = {}

    @property
    def unset(self) -> list[str]:
        """The variables of the keys that are nowhere but here."""
        return [name for name, origin in self.origins.items() if origin is Origin.TYPED]

    @property
    def may_change(self) -> bool:
        """Whether other keys can be typed: the environment counts before whatever is typed."""
        changeable = self._person and bool(self._found)
        return changeable and Origin.ENVIRONMENT not in self.origins.values()

    def find(self, settings: RealVenueConfig, *, anew: bool) -> None:
        """Each key from the environment, else the keyring, else from the person; with `anew` what
        the keyring has is not taken. Raises CommandFailed where one is missing and nobody is there.
        """
        if not settings.key_variables:
            self._tell("No key is wanted.")
        for field, words in self._guide.keys.items():
            variable = getattr(settings, field)
            if variable in settings.key_variables:
                secret, origin = self._one(variable, words, anew=anew)
                self._found[variable], self.origins[variable] = secret, origin

    def get(self, variable: str) -> Secret:
        """What the adapter signs in with. Raises SecretError."""
        found = self._found.get(variable)
        return SecretStore(self._environ).get(variable) if found is None else found

    @contextlib.contextmanager
    def exported(self) -> Iterator[dict[str, str]]:
        """The environment of a program for which the keys that are nowhere else are set; that of
        this process is so meanwhile, for whatever looks for secrets there."""
        typed = {name: self._found[name].reveal() for name in self.unset}
        os.environ.update(typed)
        try:
            yield {**self._environ, **typed}
        finally:
            for name in typed:
                os.environ.pop(name, None)

    def offer_to_keep(self) -> None:
        """Keep in the keyring what was typed, where there is one and the person agrees."""
        typed = self.unset
        if not typed:
            return
        if why := keyring_fault():
            self._tell(f"The keys cannot be kept here: {why}.")
        elif agreed("Keep what was typed in this system's keyring?", usual=True):
            try:
                for variable in typed:
                    keep(variable, self._found[variable])
                    self.origins[variable] = Origin.KEYRING
                self._tell(f"Kept in the keyring: {', '.join(typed)}.")
            except SecretError as error:
                warn(str(error))

    def _one(self, variable: str, words: str, *, anew: bool) -> tuple[Secret, Origin]:
        named = f"{variable}, the {words}"
        if self._environ.get(variable):
            self._tell(f"{named}: taken from the environment.")
            return SecretStore(self._environ).get(variable), Origin.ENVIRONMENT
        found = None if anew else kept(variable)
        if found is not None and (
            not self._asks or agreed(f"{named}, is in the keyring. Use it?", usual=True)
        ):
            self._tell(f"{named}: taken from the keyring.")
            return found, Origin.KEYRING
        if not self._person:
            raise CommandFailed(
                ExitCode.USAGE,
                f"{named}, is missing: it is neither in the environment nor in the keyring, and "
                "there is no terminal to ask for it on.",
                "NO_KEY",
            )
        return ask_secret(named), Origin.TYPED
