DROP TABLE {archive_horizons};
DROP TABLE {archive_files};
