DROP TABLE {board_ranges};
