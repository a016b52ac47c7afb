"""Owns the shop's orders, in its own database: what was bought by whom, and how the charge stands."""

import sqlite3
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

CURRENCY = "sek"
SETTLED = frozenset({"succeeded", "declined"})

_SCHEMA = """
CREATE TABLE IF NOT EXISTS orders (
    order_id TEXT PRIMARY KEY,
    account_id TEXT NOT NULL,
    nonce TEXT NOT NULL,
    product TEXT NOT NULL,
    amount_minor INTEGER NOT NULL,
    state TEXT NOT NULL,
    decline_code TEXT NOT NULL,
    charge_id TEXT NOT NULL,
    refund TEXT NOT NULL,
    UNIQUE (account_id, nonce)
);
"""


@dataclass(frozen=True)
class Product:
    """Something to buy; the price in öre."""

    product: str
    title: str
    price_minor: int


PRODUCTS = {
    made.product: made
    for made in (
        Product("coffee", "Coffee, one kilogram", 14900),
        Product("teapot", "Teapot, stoneware", 34900),
        Product("lamp", "Reading lamp, brass", 89900),
    )
}


@dataclass(frozen=True)
class Order:
    """An order.

    Attributes:
        nonce: Made with the form; the same form sent twice is one order.
        state: `asked`, `pending`, `unknown`, `succeeded` or `declined`.
        refund: Empty, `pending`, `unknown`, `succeeded` or `failed`.
    """

    order_id: str
    account_id: str
    nonce: str
    product: str
    amount_minor: int
    state: str = "asked"
    decline_code: str = ""
    charge_id: str = ""
    refund: str = ""


class Orders:
    """The orders."""

    def __init__(self, path: Path) -> None:
        """Open or create the database, readable by its owner only."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the database."""
        self._connection.close()

    def add(self, order: Order) -> Order:
        """Add an order; returns the one made before from the same form."""
        self._connection.execute(
            "INSERT INTO orders VALUES (:order_id, :account_id, :nonce, :product, :amount_minor, :state,"
            " :decline_code, :charge_id, :refund) ON CONFLICT (account_id, nonce) DO NOTHING",
            asdict(order),
        )
        row = self._connection.execute(
            "SELECT * FROM orders WHERE account_id = ? AND nonce = ?", (order.account_id, order.nonce)
        ).fetchone()
        return Order(*row)

    def put(self, order: Order) -> None:
        """Store how an order stands."""
        self._connection.execute(
            "UPDATE orders SET state = :state, decline_code = :decline_code, charge_id = :charge_id, refund = :refund"
            " WHERE order_id = :order_id",
            asdict(order),
        )

    def get(self, account: str, order_id: str) -> Order | None:
        """Read an account's order."""
        row = self._connection.execute(
            "SELECT * FROM orders WHERE account_id = ? AND order_id = ?", (account, order_id)
        ).fetchone()
        return None if row is None else Order(*row)

    def of(self, account: str) -> Sequence[Order]:
        """Read an account's orders, newest first."""
        rows = self._connection.execute(
            "SELECT * FROM orders WHERE account_id = ? ORDER BY order_id DESC LIMIT 50", (account,)
        )
        return [Order(*row) for row in rows]
