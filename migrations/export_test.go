package migrations

// LockAdvisory is what keeps the processes apart on PostgreSQL.
var LockAdvisory = lockAdvisory
