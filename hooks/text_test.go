package hooks

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"
)

// The pure functions that read text, and those that reckon pauses.

func TestParseDSN(t *testing.T) {
	tests := []struct {
		dsn              string
		base             string // "" for a name that is made up
		params           string
		memory, readOnly bool
	}{
		{dsn: "x.db", base: "x.db"},
		{dsn: "/a b/x.db?_loc=UTC&_busy_timeout=9", base: "/a b/x.db", params: "_loc=UTC"},
		{dsn: "file:x.db?mode=rwc&cache=shared", base: "file:x.db", params: "mode=rwc"},
		{dsn: "file:x.db?mode=ro", base: "file:x.db", params: "mode=ro", readOnly: true},
		{dsn: "file:x.db?immutable=1", base: "file:x.db", params: "immutable=1", readOnly: true},
		{dsn: "x.db?_journal=DELETE&_fk=0&_sync=0&_timeout=1&_vacuum=0&_txlock=deferred", base: "x.db"},
		{dsn: "x.db?mode=memory", base: "x.db"},
		{dsn: "x.db?mode=ro&immutable=1&cache=shared", base: "x.db"},
		{dsn: "", memory: true, params: "vfs=memdb"},
		{dsn: ":memory:", memory: true, params: "vfs=memdb"},
		{dsn: "file::memory:", memory: true, params: "vfs=memdb"},
		{dsn: "file:x?vfs=memdb", memory: true, params: "vfs=memdb"},
		{dsn: "file:x?mode=memory&_loc=UTC", memory: true, params: "_loc=UTC&vfs=memdb"},
		{dsn: "file::memory:?cache=shared", base: "file:/shared-memory", memory: true, params: "vfs=memdb"},
		{dsn: "file:x?mode=memory&cache=shared", base: "file:/shared-x", memory: true, params: "vfs=memdb"},
		{dsn: "file:/x?vfs=memdb", base: "file:/x", memory: true, params: "vfs=memdb"},
	}
	for _, test := range tests {
		t.Run(test.dsn, func(t *testing.T) {
			got, err := parseDSN(test.dsn)
			if err != nil {
				t.Fatal(err)
			}
			if test.base == "" {
				again, err := parseDSN(test.dsn)
				if err != nil || again.base == got.base || !strings.HasPrefix(got.base, "file:/private-") {
					t.Errorf("the names are %q and %q (%v), want two private ones", got.base, again.base, err)
				}
				test.base = got.base
			}
			if got.base != test.base || got.params.Encode() != test.params {
				t.Errorf("it points to %q with %q, want %q with %q", got.base, got.params.Encode(), test.base, test.params)
			}
			if got.memory != test.memory || got.readOnly != test.readOnly {
				t.Errorf("memory is %v and readOnly %v, want %v and %v", got.memory, got.readOnly, test.memory, test.readOnly)
			}
		})
	}
	if _, err := parseDSN("file:x.db?a=%zz"); err == nil || !strings.Contains(err.Error(), "x.db") {
		t.Errorf("got error %v, want one that says which name is wrong", err)
	}
}

// A role's own parameters do not leak into the next one's.
func TestSourceDSN(t *testing.T) {
	src, err := parseDSN("x.db?_loc=UTC")
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{StatementCache: 7}
	for r, want := range map[role]string{
		direct: "_busy_timeout=0&_loc=UTC&_stmt_cache_size=7&_txlock=immediate",
		writer: "_busy_timeout=0&_loc=UTC&_stmt_cache_size=7",
		reader: "_busy_timeout=0&_loc=UTC&_stmt_cache_size=7",
	} {
		base, query, _ := strings.Cut(src.dsn(cfg, r), "?")
		got, err := url.ParseQuery(query)
		if err != nil || base != "x.db" || got.Encode() != want {
			t.Errorf("role %d: %q with %q (%v), want %q", r, base, got.Encode(), err, want)
		}
	}
}

func TestIsScript(t *testing.T) {
	for query, want := range map[string]bool{
		"":                                          false,
		"SELECT 1":                                  false,
		"SELECT 1;":                                 false,
		"SELECT 1 ; \r\n\t;":                        false,
		"SELECT 1; -- done":                         false,
		"SELECT 1; /* done; */":                     false,
		"SELECT ';', 'it''s; '":                     false,
		`SELECT ";" FROM "a;b"`:                     false,
		"SELECT `;`, [a;b]":                         false,
		"-- a; b\nSELECT 1":                         false,
		"SELECT 1; SELECT 2":                        true,
		"SELECT ';'; SELECT 2":                      true,
		"SELECT 1 --;\n; SELECT 2":                  true,
		"SELECT '--'; SELECT '--'":                  true,
		"SELECT '/*'; SELECT '*/'":                  true,
		"CREATE TRIGGER a BEGIN SELECT 1; END":      true, // it might be one
		"SELECT 'never closed; SELECT 2":            true, // so might this
		"SELECT 1 /* never closed; SELECT 2":        true,
		"SELECT \"'\"; DELETE FROM a; SELECT \"'\"": true,
	} {
		if got := isScript(query); got != want {
			t.Errorf("isScript(%q) is %v", query, got)
		}
	}
}

func TestFirstKeyword(t *testing.T) {
	for query, want := range map[string]string{
		"":                         "",
		"select 1":                 "SELECT",
		" \t\r\n\f;;(Begin)":       "BEGIN",
		"-- a\n-- b\nCOMMIT":       "COMMIT",
		"/* a */ /**/ -- b\nEND;":  "END",
		"-- only":                  "",
		"/* only":                  "",
		"/* a */ */ SELECT":        "",
		"\ufeffROLLBACK TO a":      "ROLLBACK",
		"1 SELECT":                 "",
		"PRAGMA\tuser_version":     "PRAGMA",
		"/* a\n-- b */SAVEPOINT a": "SAVEPOINT",
	} {
		if got := firstKeyword(query); got != want {
			t.Errorf("firstKeyword(%q) is %q, want %q", query, got, want)
		}
	}
}

func TestRefuseEnd(t *testing.T) {
	for query, want := range map[string]bool{
		"":                                 false,
		"COMMIT":                           true,
		"commit transaction;":              true,
		"END":                              true,
		" /* a */ End ;":                   true,
		"\ufeffROLLBACK":                   true,
		"ROLLBACK;":                        true,
		"ROLLBACK TRANSACTION":             true,
		"ROLLBACK -- all\n;":               true,
		"ROLLBACK TO a":                    false,
		"ROLLBACK TRANSACTION TO a":        false,
		"ROLLBACK/**/TO SAVEPOINT a;":      false,
		"SAVEPOINT a":                      false,
		"RELEASE a":                        false,
		"SELECT 1; COMMIT":                 true,
		"SELECT 1;commit;SELECT 2":         true,
		"SELECT 1; END; SELECT 2":          true,
		"SELECT 1; ROLLBACK; SELECT 2":     true,
		"SELECT 1; ROLLBACK TO a":          false,
		"SELECT '; COMMIT'":                false,
		"SELECT 1 -- ; COMMIT":             false,
		"SELECT 1; -- why\n COMMIT":        true,
		"SELECT commitment; SELECT ending": false,
		"SELECT 1; SELECT CASE a WHEN 1 THEN 2 END; SELECT 3":                                                                       false,
		"CREATE TRIGGER a AFTER INSERT ON b BEGIN SELECT CASE 1 WHEN 1 THEN 2 END; END":                                             false,
		"CREATE TEMP TRIGGER a AFTER INSERT ON b BEGIN SELECT RAISE(ROLLBACK, 'no'); END; SELECT 1":                                 false,
		"CREATE TRIGGER a AFTER INSERT ON b BEGIN SELECT 1; END; CREATE TRIGGER b AFTER INSERT ON b BEGIN SELECT 2; SELECT 3; END;": false,
		"CREATE TRIGGER a AFTER INSERT ON b BEGIN SELECT 1; END; END":                                                               true,
		"create trigger a after insert on b begin select 1; end; commit":                                                            true,
	} {
		if got := refuseEnd(query) != nil; got != want {
			t.Errorf("refuseEnd(%q) is %v", query, got)
		}
	}
}

func TestSetsPragma(t *testing.T) {
	for query, want := range map[string]bool{
		"PRAGMA user_version":                false,
		"PRAGMA table_info(a)":               false,
		"PRAGMA main.table_xinfo ('a')":      false,
		"pragma INDEX_LIST(a)":               false,
		"PRAGMA integrity_check(10)":         false,
		"PRAGMA foreign_key_check":           false,
		"PRAGMA user_version=1":              true,
		"PRAGMA user_version(1)":             true,
		"PRAGMA query_only ( 0 )":            true,
		"PRAGMA wal_checkpoint(TRUNCATE)":    true,
		"PRAGMA incremental_vacuum(1000)":    true,
		"PRAGMA Optimize":                    true,
		"PRAGMA table_info_of_nobody_yet(1)": true,
	} {
		if got := setsPragma(query); got != want {
			t.Errorf("setsPragma(%q) is %v", query, got)
		}
	}
}

// A router forgets before it grows without bound: applications write values
// into their texts.
func TestRouterIsBounded(t *testing.T) {
	r := &router{reads: map[string]bool{}}
	for i := range 3 * routesKept {
		r.remember(strings.Repeat("x", i%7)+time.Duration(i).String(), true)
		if len(r.reads) > routesKept {
			t.Fatalf("it remembers %d answers, want %d at the most", len(r.reads), routesKept)
		}
	}
}

func TestBackoff(t *testing.T) {
	const most = 100 * time.Millisecond
	for n := 1; n <= 100; n++ {
		top := most
		if n < 8 {
			top = time.Millisecond << (n - 1)
		}
		for range 100 {
			if got := backoff(n, most); got < top/2 || got > top {
				t.Fatalf("backoff(%d) is %v, want from %v to %v", n, got, top/2, top)
			}
		}
	}
}

func TestPauseEndsWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := pause(ctx, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v, want %v", err, context.Canceled)
	}
	if err := pause(context.Background(), time.Nanosecond); err != nil {
		t.Errorf("got error %v", err)
	}
}
