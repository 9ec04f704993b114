# Keeps a PostgreSQL server in $folder, with its socket in $socket, for as long
# as standard input is open: as long as the benchmark lives. Says "ready" on
# standard output when it takes connections; the rest goes to standard error.
set -e

finish() {
	code=$?
	# What is in it is thrown away: there is nothing to write down first.
	[ ! -f data/postmaster.pid ] || pg_ctl stop --pgdata=data --mode=immediate --wait >&2 || code=$?
	rm -rf data server.log "$socket"
	cd /
	# Where the folder above is another one's, the benchmark removes this one.
	rmdir "$folder" 2>/dev/null || true
	exit "$code"
}
trap finish EXIT

# Everything as it is shipped (fsync, full_page_writes and synchronous_commit
# are on), but for where it is reached.
initdb --pgdata=data --username="$superuser" --auth=trust --encoding=UTF8 --locale=C --no-instructions >&2
cat >>data/postgresql.conf <<END
listen_addresses = ''
unix_socket_directories = '$socket'
port = 5432
END

pg_ctl start --pgdata=data --wait --timeout=60 --log=server.log >&2 || {
	cat server.log >&2
	exit 1
}
echo ready
cat >/dev/null
