"""The composition of the search.

Owns which of its parts gets which other part. Decides nothing else.
"""

from dataclasses import dataclass

from services.audit.activity import Activity, Heads
from services.audit.bodies import Bodies
from services.audit.journal import Journal
from services.audit.search.filling import Filling
from services.audit.search.finder import Finder
from services.audit.search.handlers import SearchHandlers
from services.audit.search.search import Search
from services.audit.search.sql import SqlIndex
from services.audit.search.sql_filling import SqlFilling
from services.audit.search.tags import Tagging
from services.kit.db import Database
from services.kit.keyring import Keyring
from services.kit.server import Handlers
from services.kit.telemetry import Log
from valv.audit.v1 import search_pb2


@dataclass(frozen=True)
class Searching:
    """What finds events, and what fills the index that they are found by."""

    finder: Finder
    filling: Filling


def searching(database: Database, keyring: Keyring, bodies: Bodies, journal: Journal, log: Log) -> Searching:
    """Put together what customers and operators find events with."""
    tagging = Tagging(keyring)
    filling = Filling(SqlFilling(database), bodies, tagging, journal, log)
    return Searching(Finder(SqlIndex(database), bodies, tagging, filling.require_complete), filling)


def search_handlers(
    search: Searching, keyring: Keyring, heads: Heads, activity: Activity, journal: Journal
) -> Handlers:
    """Put together what operators are served by."""
    service = search_pb2.DESCRIPTOR.services_by_name["SearchService"]
    return {service: SearchHandlers(Search(search.finder, keyring, heads), activity, journal)}
