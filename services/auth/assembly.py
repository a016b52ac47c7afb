"""Owns how auth's domain is put together from its features. Decides nothing, and knows neither contracts nor SQL."""

from __future__ import annotations

import asyncio
import random
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.auth.accounts import Accounts
from services.auth.arrivals import Arrivals
from services.auth.breached import RangeDirectory, SortedFile
from services.auth.devices import Devices
from services.auth.email_changes import EmailChanges
from services.auth.factors import assembly as factors
from services.auth.links import assembly as links
from services.auth.mail_tokens import MailTokens
from services.auth.password_changes import PasswordChanges
from services.auth.password_policy import PasswordPolicy
from services.auth.passwords import Passwords
from services.auth.sql_counters import SqlDecoy
from services.auth.throttle import Throttle

if TYPE_CHECKING:
    from services.auth.breached import BreachedSet
    from services.auth.config import Config
    from services.auth.hash_pool import HashPool
    from services.auth.pepper import Pepper
    from services.auth.sessions import Sessions
    from services.auth.stores import Stores
    from services.kit.main import Runtime


@dataclass(frozen=True)
class Domain:
    """What serves people, without what carries it."""

    accounts: Accounts
    changes: PasswordChanges
    emails: EmailChanges
    factors: factors.Assembled
    links: links.Links


async def assemble(
    config: Config, runtime: Runtime, stores: Stores, peppers: Pepper, pool: HashPool, sessions: Sessions
) -> Domain:
    """Put the domain together.

    Raises:
        BreachedSetError: The set of breached passwords is not whole.
        OSError: A third party's secret or authorities cannot be read.
    """
    clock, ids = runtime.clock, runtime.ids
    policy = PasswordPolicy(config.product, await _breached(config))
    passwords = Passwords(config.passwords.parameters, peppers, pool, secrets.token_bytes, policy)
    decoy = SqlDecoy(stores.shared.sql_counters, clock, random.SystemRandom().random)
    series = stores.shared.sql_counters
    throttle = Throttle(config.rules(), stores.shared.counters, series, clock, peppers.blind, decoy)
    tokens = MailTokens(clock, secrets.token_bytes)
    arrivals = Arrivals(sessions, Devices(clock, secrets.token_bytes), clock, ids)
    made = factors.assemble(
        factors.Surroundings(
            sessions=sessions,
            arrivals=arrivals,
            passwords=passwords,
            throttle=throttle,
            keys=stores.keyring,
            clock=clock,
            ids=ids,
            entropy=secrets.token_bytes,
            public_url=config.public_url,
            product=config.product,
        )
    )
    accounts = Accounts(passwords, arrivals, made.steps, throttle, tokens, clock, ids)
    changes = PasswordChanges(passwords, sessions, arrivals, throttle, tokens, clock, ids)
    emails = EmailChanges(sessions, throttle, tokens, clock, ids)
    return Domain(accounts, changes, emails, made, _links(config, runtime, stores, throttle))


def _links(config: Config, runtime: Runtime, stores: Stores, throttle: Throttle) -> links.Links:
    given = links.Surroundings(
        units=stores.units,
        keys=stores.link_keys,
        throttle=throttle,
        clock=runtime.clock,
        ids=runtime.ids,
        entropy=secrets.token_bytes,
        failed=runtime.log.warning,
    )
    return links.assemble(config.links, config.public_url, given)


async def _breached(config: Config) -> BreachedSet | None:
    """Return the set of breached passwords, if there is one. Raises BreachedSetError."""
    folder, file = config.passwords.breached_directory, config.passwords.breached_file
    found = RangeDirectory(folder) if folder else SortedFile(file) if file else None
    if found is not None:
        await asyncio.to_thread(found.check)
    return found
