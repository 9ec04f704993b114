# Keeps a PostgreSQL server in $folder for as long as its standard input is
# open, which is as long as the test process lives. With $primary, it is a
# standby of the server whose socket is in that folder. Says "ready" on standard
# output when the server takes connections; everything else goes to standard
# error.
set -e

finish() {
	code=$?
	# What is in it is thrown away: there is nothing to write down first.
	[ ! -f data/postmaster.pid ] || pg_ctl stop --pgdata=data --mode=immediate --wait >&2 || code=$?
	cd /
	rm -rf "$folder"
	exit "$code"
}
trap finish EXIT

if [ -n "$primary" ]; then
	pg_basebackup --host="$primary" --port=5432 --username="$superuser" --no-password --pgdata=data \
		--write-recovery-conf --wal-method=stream --checkpoint=fast --no-sync >&2
else
	initdb --pgdata=data --username="$superuser" --auth=trust --encoding=UTF8 --locale=C --no-sync --no-instructions >&2
fi

# Fast, and honest to what reads and writes: only the safety against a crash of
# the machine is off. The planner, autovacuum and the isolation are as shipped.
cat >>data/postgresql.conf <<END
listen_addresses = ''
unix_socket_directories = '$folder'
port = 5432
max_connections = 200
fsync = off
full_page_writes = off
timezone = 'UTC'
END

pg_ctl start --pgdata=data --wait --timeout=60 --log=server.log >&2 || {
	cat server.log >&2
	exit 1
}
echo ready
cat >/dev/null
