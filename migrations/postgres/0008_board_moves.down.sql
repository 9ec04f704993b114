DROP TRIGGER {trg_league_participants_move} ON {league_participants};
DROP TRIGGER {trg_league_participants_leave} ON {league_participants};
DROP TRIGGER {trg_league_participants_enter} ON {league_participants};
DROP FUNCTION {note_board_moves}();
DROP TABLE {board_moves};
DELETE FROM {board_ranges};
ALTER TABLE {board_ranges} RESET (fillfactor);
