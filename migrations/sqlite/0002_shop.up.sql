-- What coins are earned for and spent on, and the ledger that proves them.

CREATE TABLE {shop_items} (
    id          INTEGER PRIMARY KEY,
    slug        TEXT    NOT NULL CHECK (slug <> ''),
    name        TEXT    NOT NULL,
    description TEXT    NOT NULL,
    slot        TEXT    NOT NULL CHECK (slot <> ''),
    rarity      TEXT    NOT NULL,
    price       INTEGER NOT NULL CHECK (price >= 0),
    asset_value TEXT    NOT NULL,
    active      INTEGER NOT NULL CHECK (active IN (0, 1))
) STRICT;
CREATE UNIQUE INDEX {idx_shop_items_slug} ON {shop_items} (slug);
CREATE INDEX {idx_shop_items_catalogue} ON {shop_items} (active, slot, price, id);

CREATE TABLE {inventory} (
    user_id     INTEGER NOT NULL REFERENCES {users} (id) ON DELETE CASCADE,
    item_id     INTEGER NOT NULL REFERENCES {shop_items} (id),
    price_paid  INTEGER NOT NULL CHECK (price_paid >= 0),
    purchase_id BLOB    NOT NULL CHECK (length(purchase_id) = 16),
    acquired_at INTEGER NOT NULL,
    PRIMARY KEY (user_id, item_id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX {idx_inventory_purchase} ON {inventory} (user_id, purchase_id);

-- What is worn is owned: an item that leaves the inventory leaves its slot.
CREATE TABLE {loadouts} (
    user_id INTEGER NOT NULL,
    slot    TEXT    NOT NULL CHECK (slot <> ''),
    item_id INTEGER NOT NULL,
    PRIMARY KEY (user_id, slot),
    FOREIGN KEY (user_id, item_id) REFERENCES {inventory} (user_id, item_id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE {coin_ledger} (
    user_id       INTEGER NOT NULL REFERENCES {users} (id) ON DELETE CASCADE,
    seq           INTEGER NOT NULL CHECK (seq >= 1),
    entry_id      BLOB    NOT NULL CHECK (length(entry_id) = 16),
    delta         INTEGER NOT NULL,
    balance_after INTEGER NOT NULL CHECK (balance_after >= 0),
    reason        TEXT    NOT NULL CHECK (reason <> ''),
    reference     TEXT    NOT NULL,
    created_at    INTEGER NOT NULL,
    PRIMARY KEY (user_id, seq)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX {idx_coin_ledger_entry} ON {coin_ledger} (user_id, entry_id);
