package transfer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/flashstore/flashstore/migrations"
	"github.com/flashstore/flashstore/storage"
	"github.com/flashstore/flashstore/transfer"
)

// There and back is the same database, row for row, on every way.
func TestThereAndBack(t *testing.T) {
	for name, engine := range engines {
		t.Run(name, func(t *testing.T) {
			s, there, back := newSchool(t, newSQLite(t), ""), engine(t), newSQLite(t)
			want := contents(t, s.db)
			for table, rows := range want {
				if len(rows) == 0 && table != "archive_horizons" && table != "board_moves" { // TestArchive has the one, SQLite none of the other
					t.Fatalf("%s is empty: this test proves nothing of it", table)
				}
			}
			first := mustCopy(t, s.db, there, transfer.Config{})
			second := mustCopy(t, there, back, transfer.Config{BatchRows: 7})
			equal(t, contents(t, back), want)
			for i := range first.Tables {
				equal(t, second.Tables[i].Checksum, first.Tables[i].Checksum)
			}
			// Both go on as the source would: with the same numbers and no
			// break in the books.
			for _, db := range []*gorm.DB{there, back} {
				copied := on(t, db, "")
				user, err := copied.Users.Create(t.Context(), storage.NewUser{UID: "new", Name: "New"})
				must(t, err)
				equal(t, user.ID, int64(13))
				breaks, err := copied.Coins.ReconcileAll(t.Context())
				must(t, err)
				equal(t, breaks, nil)
				must(t, copied.Mastery.VerifyAll(t.Context(), func(d storage.MasteryDifference) error {
					return fmt.Errorf("%+v", d)
				}))
			}
		})
	}
}

func TestPrefix(t *testing.T) {
	s, there, back := newSchool(t, newSQLite(t), "fm_"), newPostgres(t), newSQLite(t)
	mustCopy(t, s.db, there, transfer.Config{TablePrefix: "fm_"})
	mustCopy(t, there, back, transfer.Config{TablePrefix: "fm_"})
	want, got := contents(t, s.db), contents(t, back)
	delete(want, "fm_schema_migrations")
	delete(got, "fm_schema_migrations")
	equal(t, got, want)
}

// change does everything that changes rows, in any order of their keys.
func change(t *testing.T, s *school) {
	t.Helper()
	ctx := t.Context()
	s.practise(t, 1, noon.Add(7*24*time.Hour-3*time.Hour), 9)
	s.practise(t, 1, noon.Add(-26*time.Hour), 9) // a late client: its ids lie between others
	taken := "u3@class.example"                  // user 1 takes the e-mail of user 4
	none := ""
	_, err := s.Users.Update(ctx, 4, storage.UserUpdate{Email: &none})
	must(t, err)
	_, err = s.Users.Update(ctx, 1, storage.UserUpdate{Email: &taken})
	must(t, err)
	_, err = s.Shop.Refund(ctx, 3, 1, idAt(noon, 77777))
	must(t, err)
	_, err = s.Users.Erase(ctx, 7)
	must(t, err)
	_, err = s.Users.Create(ctx, storage.NewUser{UID: "user-06", Name: "Again, with the uid of the erased"})
	must(t, err)
	_, err = s.Rollups.Run(ctx)
	must(t, err)
}

// A second copy carries over what came since, and writes no more than that.
func TestSecondCopy(t *testing.T) {
	for name, engine := range engines {
		t.Run(name, func(t *testing.T) {
			s, there := newSchool(t, newSQLite(t), ""), engine(t)
			first := mustCopy(t, s.db, there, transfer.Config{})
			if again := mustCopy(t, s.db, there, transfer.Config{}); again.Written() != 0 || again.Rows() != first.Rows() {
				t.Errorf("a copy of what is there writes %d rows of %d", again.Written(), again.Rows())
			}
			change(t, s)
			dry := mustDry(t, s.db, there)
			second := mustCopy(t, s.db, there, transfer.Config{BatchRows: 5})
			if second.Written() == 0 || second.Written() >= first.Rows()/2 {
				t.Errorf("the second copy writes %d rows of %d", second.Written(), second.Rows())
			}
			for i, table := range second.Tables {
				equal(t, []int64{dry.Tables[i].Added, dry.Tables[i].Changed, dry.Tables[i].Removed}, []int64{table.Added, table.Changed, table.Removed})
			}
			back := newSQLite(t)
			mustCopy(t, there, back, transfer.Config{})
			equal(t, contents(t, back), contents(t, s.db))
		})
	}
}

// mustDry makes a dry run, which must change nothing.
func mustDry(t *testing.T, from, to *gorm.DB) transfer.Report {
	t.Helper()
	before := contents(t, to)
	report, err := transfer.Copy(t.Context(), from, to, transfer.Config{DryRun: true})
	must(t, err)
	equal(t, contents(t, to), before)
	if !report.DryRun {
		t.Error("the report does not say that it is of a dry run")
	}
	return report
}

// A dry run makes no tables either.
func TestDryRun(t *testing.T) {
	for name, engine := range engines {
		t.Run(name, func(t *testing.T) {
			s, there := newSchool(t, newSQLite(t), ""), engine(t)
			dry := mustDry(t, s.db, there)
			equal(t, contents(t, there), nil)
			real := mustCopy(t, s.db, there, transfer.Config{})
			for i := range real.Tables {
				if name := real.Tables[i].Table; name != "leagues" { // the migration makes them
					equal(t, dry.Tables[i].Added, real.Tables[i].Added)
				}
				equal(t, dry.Tables[i].Rows, real.Tables[i].Rows)
			}
		})
	}
}

// A copy that was stopped anywhere is finished by the next one.
func TestInterrupted(t *testing.T) {
	for name, engine := range engines {
		t.Run(name, func(t *testing.T) {
			s, there, back := newSchool(t, newSQLite(t), ""), engine(t), newSQLite(t)
			want := contents(t, s.db)
			stopped := 0
			for _, table := range []string{"users", "sessions", "answer_events", "mastery_stats", "inventory", "coin_ledger"} {
				for _, checking := range []bool{false, true} {
					ctx, stop := context.WithCancel(t.Context())
					_, err := transfer.Copy(ctx, s.db, there, transfer.Config{BatchRows: 50, Progress: func(p transfer.Progress) {
						if p.Table == table && p.Checking == checking {
							stop()
						}
					}})
					stop()
					if !errors.Is(err, context.Canceled) {
						t.Fatalf("stopped at %s (checking: %t), got error %v", table, checking, err)
					}
					stopped++
				}
				if table == "sessions" {
					change(t, s) // the source goes on in the meantime
					want = contents(t, s.db)
				}
			}
			mustCopy(t, s.db, there, transfer.Config{})
			mustCopy(t, there, back, transfer.Config{})
			equal(t, contents(t, back), want)
			equal(t, stopped, 12)
		})
	}
}

// Each batch is there or not: what a copy that was stopped has written is not
// written again.
func TestGoesOnWhereItStopped(t *testing.T) {
	s, there := newSchool(t, newSQLite(t), ""), newPostgres(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	_, err := transfer.Copy(ctx, s.db, there, transfer.Config{BatchRows: 10, Progress: func(p transfer.Progress) {
		if p.Table == "answer_events" {
			stop()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("got error %v", err)
	}
	for _, table := range mustCopy(t, s.db, there, transfer.Config{}).Tables {
		// The last batch of the table is smaller than a whole one.
		if got := table.Added; table.Table == "users" && got != 0 || table.Table == "answer_events" && got >= 10 {
			t.Errorf("%d rows of %s are written again", got, table.Table)
		}
	}
}

// While a copy runs the source is read and written, and the copy is of its
// start.
func TestSourceStaysUsable(t *testing.T) {
	for name, engine := range engines {
		t.Run(name, func(t *testing.T) {
			s, there := newSchool(t, engine(t), ""), newPostgres(t)
			want := contents(t, s.db)
			n := 0
			mustCopy(t, s.db, there, transfer.Config{Progress: func(transfer.Progress) {
				n++
				_, err := s.Users.Create(t.Context(), storage.NewUser{UID: fmt.Sprint("during ", n), Name: "During"})
				must(t, err)
			}})
			if n < 14 {
				t.Errorf("there were %d calls", n)
			}
			got := contents(t, there)
			equal(t, len(got["users"]), len(want["users"]))
			equal(t, len(got["coin_ledger"]), len(want["coin_ledger"]))
			equal(t, mustCopy(t, s.db, there, transfer.Config{}).Written(), int64(2*n)) // with a coin entry each
		})
	}
}

func TestProgress(t *testing.T) {
	for _, dry := range []bool{false, true} {
		s, there := newSchool(t, newSQLite(t), ""), newPostgres(t)
		var told []transfer.Progress
		report, err := transfer.Copy(t.Context(), s.db, there, transfer.Config{DryRun: dry, Progress: func(p transfer.Progress) { told = append(told, p) }})
		must(t, err)
		for i, p := range told {
			if i > 0 && (p.Done < told[i-1].Done || p.Total != told[i-1].Total || told[i-1].Checking && !p.Checking) {
				t.Fatalf("%+v comes after %+v", p, told[i-1])
			}
		}
		total := 2 * report.Rows()
		if dry {
			total /= 2
		}
		last := told[len(told)-1]
		equal(t, []int64{last.Done, last.Total}, []int64{total, total})
	}
}

// What others do to the target during the copy is found at the end.
func TestDisagreement(t *testing.T) {
	for name, engine := range engines {
		t.Run(name, func(t *testing.T) {
			s, there := newSchool(t, newSQLite(t), ""), engine(t)
			tampered := false
			report, err := transfer.Copy(t.Context(), s.db, there, transfer.Config{Progress: func(p transfer.Progress) {
				if p.Table == "coin_ledger" && !p.Checking {
					must(t, there.Exec("UPDATE mastery_stats SET last_delta = last_delta + 0.01 WHERE user_id = 2 AND fact = '0+0'").Error)
					must(t, there.Exec("DELETE FROM loadouts WHERE user_id = 1").Error)
					tampered = true
				}
			}})
			var disagreement *transfer.DisagreementError
			if !errors.As(err, &disagreement) || !tampered {
				t.Fatalf("got error %v", err)
			}
			var names []string
			for _, table := range disagreement.Tables {
				names = append(names, table.Table)
			}
			equal(t, names, []string{"mastery_stats", "loadouts"})
			t.Log(err)
			for _, table := range report.Tables {
				equal(t, table.Agrees(), !slices.Contains(names, table.Table))
			}
			equal(t, mustCopy(t, s.db, there, transfer.Config{}).Written(), int64(2))
		})
	}
}

// A target that is no copy of the source is refused, and left as it is.
func TestForeignTarget(t *testing.T) {
	for name, spoil := range map[string]struct {
		table string
		do    func(t *testing.T, target *school)
	}{
		"a new user": {"users", func(t *testing.T, target *school) {
			_, err := target.Users.Create(t.Context(), storage.NewUser{UID: "new", Name: "New"})
			must(t, err)
		}},
		"a session":      {"sessions", func(t *testing.T, target *school) { target.practise(t, 2, noon.Add(6*24*time.Hour), 5) }},
		"coins":          {"coin_ledger", func(t *testing.T, target *school) { grant(t, target, 1) }},
		"a user's place": {"users", func(t *testing.T, target *school) { exec(t, target, "UPDATE users SET uid = 'another' WHERE id = 2") }},
		"other users only": {"users", func(t *testing.T, target *school) {
			exec(t, target, "DELETE FROM users")
			exec(t, target, `INSERT INTO users SELECT 5, 'x', NULL, 'X', 1, 0, 0, 1, 0, 0, 0, 1`)
		}},
	} {
		for engineName, engine := range engines {
			t.Run(name+"/"+engineName, func(t *testing.T) {
				s, db := newSchool(t, newSQLite(t), ""), engine(t)
				mustCopy(t, s.db, db, transfer.Config{})
				spoil.do(t, on(t, db, "").at(noon.Add(7*24*time.Hour)))
				before := contents(t, db)
				for _, dry := range []bool{true, false} {
					_, err := transfer.Copy(t.Context(), s.db, db, transfer.Config{DryRun: dry})
					var foreign *transfer.ForeignTargetError
					if !errors.As(err, &foreign) || foreign.Table != spoil.table || foreign.Rows == 0 {
						t.Fatalf("got error %v", err)
					}
					equal(t, contents(t, db), before)
				}
			})
		}
	}
}

// A ledger that went on on both sides is of two stores.
func TestBothWentOn(t *testing.T) {
	s, db := newSchool(t, newSQLite(t), ""), newPostgres(t)
	mustCopy(t, s.db, db, transfer.Config{})
	grant(t, s, 1)
	grant(t, on(t, db, "").at(noon.Add(7*24*time.Hour)), 2)
	_, err := transfer.Copy(t.Context(), s.db, db, transfer.Config{})
	var foreign *transfer.ForeignTargetError
	if !errors.As(err, &foreign) || foreign.Table != "coin_ledger" || foreign.Rows != 1 {
		t.Fatalf("got error %v", err)
	}
}

func grant(t *testing.T, s *school, n int64) {
	t.Helper()
	_, err := s.Coins.Grant(t.Context(), 2, idAt(noon, 1<<20|n), 3, "gift", "")
	must(t, err)
}

func exec(t *testing.T, s *school, query string) {
	t.Helper()
	must(t, s.db.Exec(query).Error)
}

// What is not ours, or not up to date, is refused.
func TestRefused(t *testing.T) {
	s := newSchool(t, newSQLite(t), "")
	if _, err := transfer.Copy(t.Context(), newSQLite(t), s.db, transfer.Config{}); !errors.Is(err, migrations.ErrPending) {
		t.Errorf("an empty source: got error %v", err)
	}
	if _, err := transfer.Copy(t.Context(), s.db, open(t, sqlite.Open(t.TempDir()+"/plain.db")), transfer.Config{}); !errors.Is(err, transfer.ErrNoWAL) {
		t.Errorf("a target without a log: got error %v", err)
	}
	foreign := newPostgres(t)
	must(t, foreign.Exec("CREATE TABLE users (nick text)").Error)
	var schema *migrations.SchemaError
	if _, err := transfer.Copy(t.Context(), s.db, foreign, transfer.Config{}); !errors.As(err, &schema) {
		t.Errorf("another program's target: got error %v", err)
	}
	must(t, s.db.Transaction(func(tx *gorm.DB) error {
		if _, err := transfer.Copy(t.Context(), tx, newSQLite(t), transfer.Config{}); !errors.Is(err, transfer.ErrInTransaction) {
			t.Errorf("inside of a transaction: got error %v", err)
		}
		return nil
	}))
	if _, err := transfer.Copy(t.Context(), s.db, newSQLite(t), transfer.Config{BatchRows: -1}); err == nil {
		t.Error("a batch of -1 rows is taken")
	}
}

// PostgreSQL has no text with a zero byte in it: the copy says so and names the
// table.
func TestTextThatPostgreSQLHasNot(t *testing.T) {
	s, there := newSchool(t, newSQLite(t), ""), newPostgres(t)
	exec(t, s, "UPDATE shop_items SET description = 'a' || char(0) || 'b' WHERE id = 1")
	_, err := transfer.Copy(t.Context(), s.db, there, transfer.Config{})
	if err == nil || !strings.Contains(err.Error(), "copy table shop_items") || !strings.Contains(err.Error(), "0x00") {
		t.Errorf("got error %v", err)
	}
	equal(t, len(contents(t, there)["shop_items"]), 0)
	back := newSQLite(t) // SQLite has
	mustCopy(t, s.db, back, transfer.Config{})
	equal(t, contents(t, back), contents(t, s.db))
}
