DROP TABLE {archive_horizons};
DROP TABLE {answer_archive};
