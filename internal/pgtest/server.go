package pgtest

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
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/flashstore/flashstore/internal/pghost"
)

// superuser owns everything in the server. Whoever reaches the socket is let
// in: its folder is the tests' alone.
const superuser = "postgres"

// hang bounds every wait. What reaches it hangs; a slow machine does not.
const hang = 2 * time.Minute

// keeper is the process between this one and the server. It is a shell, and
// not a call of Stop, so that a test process that is killed takes its server
// and its folder along as well.
//
//go:embed keeper.sh
var keeper string

// server is a running PostgreSQL server.
type server struct {
	folder string // the data, the log and the socket
	keeper *exec.Cmd
	life   io.Closer // the keeper's standard input: it ends the server when this is closed
	said   *os.File  // what the keeper and its programs said
}

// startServer returns a server that takes connections. It is a new one, or a
// standby of the one whose socket's folder is given.
func startServer(primary string) (*server, error) {
	bin, err := pghost.Binaries()
	if err != nil {
		return nil, err
	}
	owner, err := pghost.ServerAccount()
	if err != nil {
		return nil, err
	}
	folder, err := newFolder(owner)
	if err != nil {
		return nil, fmt.Errorf("make a folder for a PostgreSQL server: %w", err)
	}
	s := &server{folder: folder}
	if err := s.run(bin, owner, primary); err != nil {
		return nil, errors.Join(fmt.Errorf("start a PostgreSQL server in %s: %w", folder, err), os.RemoveAll(folder))
	}
	return s, nil
}

// run starts the keeper and waits for its word that the server is there.
func (s *server) run(bin string, owner *pghost.Account, primary string) (err error) {
	if s.said, err = os.Create(filepath.Join(s.folder, "keeper.log")); err != nil {
		return err
	}
	s.keeper = exec.Command("/bin/sh", "-c", keeper)
	s.keeper.Dir = s.folder
	// Nothing of the environment: PGDATA and its like would be obeyed.
	s.keeper.Env = []string{"PATH=" + bin + ":/usr/bin:/bin", "LC_ALL=C", "TZ=UTC",
		"folder=" + s.folder, "superuser=" + superuser, "primary=" + primary}
	s.keeper.Stderr = s.said
	s.keeper.SysProcAttr = owner.Attributes()
	life, err := s.keeper.StdinPipe()
	if err != nil {
		return errors.Join(err, s.said.Close())
	}
	s.life = life
	word, err := s.keeper.StdoutPipe()
	if err != nil {
		return errors.Join(err, life.Close(), s.said.Close())
	}
	if err := s.keeper.Start(); err != nil {
		return errors.Join(err, life.Close(), s.said.Close())
	}
	if err := awaitReady(word); err != nil {
		return errors.Join(err, s.stop())
	}
	return nil
}

func awaitReady(word io.Reader) error {
	if pipe, ok := word.(*os.File); ok {
		if err := pipe.SetReadDeadline(time.Now().Add(hang)); err != nil {
			return err
		}
	}
	line, err := bufio.NewReader(word).ReadString('\n')
	if err == nil && line != "ready\n" {
		err = fmt.Errorf("it said %q", line)
	}
	return err
}

// stop ends the server and removes its folder. It is called once.
func (s *server) stop() error {
	err := errors.Join(s.life.Close(), s.keeper.Wait())
	if err != nil {
		// The file may be gone from its folder, and is read all the same.
		said := make([]byte, 16<<10)
		n, _ := s.said.ReadAt(said, 0)
		err = fmt.Errorf("the PostgreSQL server in %s: %w: %s", s.folder, err, strings.TrimSpace(string(said[:n])))
	}
	return errors.Join(err, s.said.Close())
}

// dsn names the socket's folder, so that nothing of the environment (PGHOST
// and its like) leads to another server.
func (s *server) dsn(database string) string {
	quote := strings.NewReplacer(`\`, `\\`, `'`, `\'`)
	return fmt.Sprintf("host='%s' port=5432 user=%s dbname=%s sslmode=disable", quote.Replace(s.folder), superuser, database)
}

// exec runs one statement on a connection of its own, outside of the tests'
// databases.
func (s *server) exec(ctx context.Context, statement string) error {
	return s.connected(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
		return nil
	})
}

// ask is exec for a query that gives one value.
func (s *server) ask(ctx context.Context, value any, query string) error {
	return s.connected(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		return conn.QueryRow(ctx, query).Scan(value)
	})
}

func (s *server) connected(ctx context.Context, fn func(context.Context, *pgx.Conn) error) error {
	ctx, cancel := context.WithTimeout(ctx, hang)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.dsn("postgres"))
	if err != nil {
		return fmt.Errorf("connect to the tests' server: %w", err)
	}
	return errors.Join(fn(ctx, conn), conn.Close(ctx))
}
