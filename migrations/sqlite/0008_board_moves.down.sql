DROP TABLE {board_moves};
