DROP TABLE {answers_set_aside};
