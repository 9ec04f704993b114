DROP TABLE {coin_ledger};
DROP TABLE {loadouts};
DROP TABLE {inventory};
DROP TABLE {shop_items};
