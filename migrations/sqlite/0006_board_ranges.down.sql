DROP TRIGGER {trg_league_participants_move};
DROP TRIGGER {trg_league_participants_leave};
DROP TRIGGER {trg_league_participants_enter};
DROP TABLE {board_ranges};
