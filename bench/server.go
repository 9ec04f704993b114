package main

import (
	"bufio"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/flashstore/flashstore/internal/pghost"
)

// superuser owns everything in the server; whoever reaches its socket is let
// in.
const superuser = "postgres"

// keeper is the process between this one and the server: one that is killed
// takes its server and both folders along.
//
//go:embed keeper.sh
var keeper string

// server is a PostgreSQL server of the benchmark's own, as initdb makes it: a
// commit is on the disk when it is acknowledged.
type server struct {
	data   string // its folder
	socket string // the same of its socket
	keeper *exec.Cmd
	life   io.Closer // the keeper's standard input: closed, it ends the server
	said   strings.Builder

	databases int
}

// startServer makes a server whose data is on the disk that dir is on.
func startServer(dir string) (*server, error) {
	bin, err := pghost.Binaries()
	if err != nil {
		return nil, err
	}
	owner, err := pghost.ServerAccount()
	if err != nil {
		return nil, err
	}
	data, err := ownFolder(owner, reachable(owner, dir))
	if err != nil {
		return nil, fmt.Errorf("make a folder for PostgreSQL's data: %w", err)
	}
	// A socket's path has at most 107 bytes.
	socket, err := ownFolder(owner, "/tmp")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make a folder for PostgreSQL's socket: %w", err), os.RemoveAll(data))
	}
	s := &server{data: data, socket: socket}
	if err := s.run(bin, owner); err != nil {
		err = fmt.Errorf("start a PostgreSQL server in %s: %w: %s", data, err, strings.TrimSpace(s.said.String()))
		return nil, errors.Join(err, os.RemoveAll(data), os.RemoveAll(socket))
	}
	return s, nil
}

// run starts the keeper and waits for its word that the server is there.
func (s *server) run(bin string, owner *pghost.Account) error {
	s.keeper = exec.Command("/bin/sh", "-c", keeper)
	s.keeper.Dir = s.data
	// Nothing of the environment: PGDATA and its like would be obeyed.
	s.keeper.Env = []string{"PATH=" + bin + ":/usr/bin:/bin", "LC_ALL=C", "TZ=UTC",
		"folder=" + s.data, "socket=" + s.socket, "superuser=" + superuser}
	s.keeper.Stderr = &s.said
	s.keeper.SysProcAttr = owner.Attributes()
	life, err := s.keeper.StdinPipe()
	if err != nil {
		return err
	}
	s.life = life
	word, err := s.keeper.StdoutPipe()
	if err != nil {
		return err
	}
	if err := s.keeper.Start(); err != nil {
		return err
	}
	if line, err := bufio.NewReader(word).ReadString('\n'); err != nil || line != lineReady+"\n" {
		return errors.Join(fmt.Errorf("it said %q", line), s.stop())
	}
	return nil
}

// stop ends the server and removes its folders. It is called once.
func (s *server) stop() error {
	err := errors.Join(s.life.Close(), s.keeper.Wait())
	if err != nil {
		err = fmt.Errorf("the PostgreSQL server in %s: %w: %s", s.data, err, strings.TrimSpace(s.said.String()))
	}
	return errors.Join(err, os.RemoveAll(s.data))
}

// dsn is a database's, for pgx and for gorm.io/driver/postgres.
func (s *server) dsn(database string) string {
	return fmt.Sprintf("host=%s port=5432 user=%s dbname=%s sslmode=disable", s.socket, superuser, database)
}

// exec runs statements, each by itself, on a connection of their own.
func (s *server) exec(ctx context.Context, database string, statements ...string) error {
	conn, err := pgx.Connect(ctx, s.dsn(database))
	if err != nil {
		return err
	}
	for _, statement := range statements {
		if _, err = conn.Exec(ctx, statement); err != nil {
			err = fmt.Errorf("%s: %w", statement, err)
			break
		}
	}
	return errors.Join(err, conn.Close(context.WithoutCancel(ctx)))
}

// ask returns the one value of a query.
func (s *server) ask(ctx context.Context, database, query string, into any) error {
	conn, err := pgx.Connect(ctx, s.dsn(database))
	if err != nil {
		return err
	}
	err = conn.QueryRow(ctx, query).Scan(into)
	return errors.Join(err, conn.Close(context.WithoutCancel(ctx)))
}

// create makes a database, a copy of another one or, of "template1", an empty
// one. A copy's pages go through the log after a checkpoint: as at most times,
// except right after one, they are then changed without being logged whole.
func (s *server) create(ctx context.Context, like string) (name string, err error) {
	s.databases++
	name = fmt.Sprintf("bench_%d", s.databases)
	return name, s.exec(ctx, "postgres", "CHECKPOINT", "CREATE DATABASE "+name+" TEMPLATE "+like)
}

// drop removes a database, whoever is connected to it.
func (s *server) drop(name string) error {
	return s.exec(context.Background(), "postgres", "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)")
}

// version is the server's own.
func (s *server) version(ctx context.Context) (version string, err error) {
	err = s.ask(ctx, "postgres", "SELECT split_part(current_setting('server_version'), ' ', 1)", &version)
	return version, err
}

// ownFolder makes a folder in parent that the account owns.
func ownFolder(a *pghost.Account, parent string) (string, error) {
	folder, err := os.MkdirTemp(parent, "bench-pg-")
	if err != nil {
		return "", err
	}
	return folder, a.Own(folder)
}

// reachable is dir, if the account may pass through all that is above it, or
// else another folder on a disk that everybody may use.
func reachable(a *pghost.Account, dir string) string {
	dir, err := filepath.Abs(dir)
	if err != nil || a == nil {
		return dir
	}
	for _, folder := range []string{dir, "/var/tmp", "/tmp"} {
		if kind := filesystem(folder); pghost.Passable(folder) && kind != "tmpfs" && kind != "ramfs" {
			return folder
		}
	}
	return dir // where the server will say what is wrong
}
